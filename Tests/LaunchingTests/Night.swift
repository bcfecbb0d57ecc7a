import Foundation
import Launching
import TensorCore

/// A night on a cluster, drawn from a seed: hosts that come and go, mounts that are slow, pieces that are missing, ranks
/// that die. The policy is driven through it as the launcher does.
struct Night {
    /// An evil that no start cures.
    enum Curse: CaseIterable {
        /// Every job ends before its first step with an error.
        case refusal
        /// No host ever has the pictures.
        case noPictures
        /// Every job crashes, or ends with an error, at the same step.
        case crash, error
        /// No job ever comes up, though the hosts answer.
        case noStart
        /// The run's directory goes away for good.
        case lostDirectory
    }

    struct Outcome {
        var status: Int32 = -1
        var reason = ""
        var starts = 0
        var jobsThatRan = 0
        var restarts = 0
        var steps = 0
        /// Seconds since anything came further when it was left.
        var barrenSeconds = 0.0
        var decisions = 0
        var violations: [String] = []
    }

    /// From one time to another.
    private typealias Span = ClosedRange<Double>

    static let patience = 600.0, restartLimit = 60
    private let curse: Curse?
    private let names: [String]
    private let lastStep: Int, every: Int, cursedStep: Int
    private let secondsPerStep = 10.0
    private var silences: [[Span]] = [], pictureless: [[Span]] = []
    private var absences: [(span: Span, place: RunSight)] = []
    private let lostAt: Double
    private var chance: KeyedGenerator

    // What is on the disk.
    private var saved: [Int] = []
    private var setAside = 0
    private var owner: Span?

    init(seed: UInt64, curse: Curse?) {
        var draw = KeyedGenerator(seed, 0x6E69_6768_74)
        self.curse = curse
        names = (1...(1 + draw.integer(below: 5))).map { "n\($0)" }
        lastStep = 60 + draw.integer(below: 500)
        every = 1 + draw.integer(below: 40)
        cursedStep = 1 + draw.integer(below: 50)
        lostAt = draw.uniform(300, 3000)
        func spans(_ count: Int) -> [Span] {
            (0..<count).map { _ in
                let begin = draw.uniform(0, 6000)
                return begin...(begin + draw.uniform(1, draw.chance(0.1) ? 2000 : 400))
            }
        }
        for _ in names {
            silences.append(spans(draw.integer(below: 4)))
            pictureless.append(spans(draw.integer(below: 2)))
        }
        // A switch or a file server that fails takes all hosts with it.
        let all = spans(draw.integer(below: 2)), server = spans(draw.integer(below: 2))
        for index in names.indices {
            silences[index] += all
            pictureless[index] += server
        }
        let places = [
            RunSight(place: .gone), RunSight(place: .replaced), RunSight(place: .failing("Stale file handle")),
            RunSight(place: .there),
        ]
        absences = spans(draw.integer(below: 3)).map { ($0, places[draw.integer(below: places.count)]) }
        chance = draw
    }

    // MARK: What is to be seen

    private func answers(_ host: Int, _ time: Double) -> Bool { !silences[host].contains { $0.contains(time) } }

    private func hasPictures(_ host: Int, _ time: Double) -> Bool {
        curse != .noPictures && !pictureless[host].contains { $0.contains(time) }
    }

    private func sight(_ time: Double) -> RunSight {
        if curse == .lostDirectory, time > lostAt { return RunSight(place: .gone) }
        if let absence = absences.first(where: { $0.span.contains(time) }), time > 0 { return absence.place }
        return RunSight(place: .there, newestStep: saved.last ?? 0, setAsideStep: setAside)
    }

    private func view(_ time: Double) -> RestartPolicy.View {
        let ready = names.indices.filter { answers($0, time) && hasPictures($0, time) }
        let none = names.indices.allSatisfy { answers($0, time) && !hasPictures($0, time) }
        return RestartPolicy.View(
            time: time, run: sight(time), owner: owner.flatMap { $0.contains(time) ? "an old rank" : nil },
            ready: ready.map { names[$0] }, listed: names.count, lackOfAll: none ? "does not see the pictures" : nil)
    }

    // MARK: A job

    /// Trains from `time` on, as the program would; returns how it ended and when.
    private mutating func job(_ hosts: [String], from time: Double, _ outcome: inout Outcome) -> (JobEnd, Double) {
        var seen = 0
        func end(_ status: Int32, _ began: Bool, _ step: Int?, _ now: Double) -> (JobEnd, Double) {
            (JobEnd(status: status, began: began, lastStep: step, newestStep: seen, seconds: now - time), now)
        }
        let members = names.indices.filter { hosts.contains(names[$0]) }
        if curse == .noStart || chance.chance(0.03) { return end(1, false, nil, time + 3) }
        if curse == .refusal { return end(78, false, nil, time + 5) }
        var now = time + 20
        // A host or its pictures that went since the look.
        if members.contains(where: { !answers($0, now) }) { return end(1, false, nil, now) }
        if members.contains(where: { !hasPictures($0, now) }) { return end(78, false, nil, now) }
        let here = sight(time)
        if here.place != .there || here.newestStep < (saved.last ?? 0) {
            outcome.violations.append("started at \(time) from step \(here.newestStep), with \(saved.last ?? 0) saved")
        }
        // Now and then the newest checkpoint is damaged, and the one before is used.
        if saved.count > 1, chance.chance(0.03) { setAside = saved.removeLast() }
        var step = saved.last ?? 0
        let first = step
        let death = now - 4000 * log(1 - chance.uniform())
        while step < lastStep {
            now += secondsPerStep
            if members.contains(where: { !answers($0, now) }) || now > death {
                if chance.chance(0.3) { owner = now...(now + chance.uniform(1, 20)) }
                return end(chance.chance(0.5) ? 79 : 137, true, step > first ? step : nil, now + 15)
            }
            step += 1
            if [.crash, .error].contains(curse), step == cursedStep {
                return end(curse == .crash ? 139 : 78, true, step, now)
            }
            let isThere = sight(now).place == .there && !absences.contains { $0.span.contains(now) }
            if step.isMultiple(of: every) || step == lastStep {
                if isThere {
                    saved.append(step)
                    seen = step
                } else if step == lastStep {
                    return end(78, true, step, now)
                }
            }
        }
        return end(0, true, step, now)
    }

    // MARK: The launcher

    mutating func run() -> Outcome {
        var policy = RestartPolicy(.init(restarts: Self.restartLimit, backoff: 5, patience: Self.patience))
        var outcome = Outcome(), time = 0.0, progress = 0.0, furthest = 0
        func leave(_ status: Int32, _ reason: String) -> Outcome {
            (outcome.status, outcome.reason, outcome.restarts) = (status, reason, policy.restarts)
            (outcome.steps, outcome.barrenSeconds) = (saved.last ?? 0, time - progress)
            return outcome
        }
        while outcome.decisions < 20_000 {
            outcome.decisions += 1
            let view = view(time), before = policy.restarts
            switch policy.decide(view) {
            case .leave(let status, let reason): return leave(status, reason)
            case .look(let after, _):
                if policy.restarts != before { outcome.violations.append("a restart was burnt by a look") }
                if after <= 0 { outcome.violations.append("a look without a pause") }
                time += after + 1
            case .start:
                outcome.starts += 1
                if view.ready.isEmpty { outcome.violations.append("started while nobody answers") }
                if policy.restarts > outcome.jobsThatRan {
                    outcome.violations.append("more restarts than jobs that ran")
                }
                let (end, now) = job(view.ready, from: time, &outcome)
                time = now
                if end.ran { outcome.jobsThatRan += 1 }
                if max(end.lastStep ?? 0, saved.last ?? 0) > furthest {
                    (furthest, progress) = (max(end.lastStep ?? 0, saved.last ?? 0), time)
                }
                switch policy.ended(end, sight(time), time: time) {
                case .leave(let status, let reason): return leave(status, reason)
                case .look(let after, _): time += after + 1
                case .start: outcome.violations.append("started without a look")
                }
            }
        }
        return leave(-1, "it never ends")
    }
}
