import Learning
import MessagePassing

/// How much of a run's wall time brought it further, over all its starts, and what the rest went on.
package struct Goodput: Sendable, Equatable {
    /// Seconds, in the order in which they are told.
    package enum Part: String, Sendable, CaseIterable {
        /// Steps that counted.
        case training = "steps that counted"
        /// Steps whose result was lost.
        case again = "steps done again"
        case saving, evaluating
        /// From the last sign of life to the end of the job.
        case detection
        /// From the end of a job to the next step.
        case restart
        /// Between a stop that was asked for and the next start.
        case stopped
        case rest
    }

    /// From the first start to the moment that was asked for.
    package let wall: Double
    package private(set) var seconds: [Part: Double]
    /// How often training began or went on.
    package let starts: Int

    /// Effective time ÷ wall time.
    package var share: Double { wall > 0 ? (seconds[.training] ?? 0) / wall : 0 }

    /// What is known of one start.
    private struct Start {
        let began: Double?
        let ready: Double
        let step: Int
        var lastStep: Int
        var lastSign: Double
        var spent: [String: Double] = [:]
        /// Of its job, if that is known.
        var ended: (time: Double, status: Int32)?
    }

    /// Reads a run's history, up to a moment in seconds since 1970. nil for a run that never began.
    package init?(_ events: [RunEvent], now: Double) {
        let runs = Self.starts(events)
        guard let first = runs.first else { return nil }
        let beginning = first.began ?? first.ready
        starts = runs.count
        wall = max(0, now - beginning)
        seconds = [:]
        func add(_ value: Double, to part: Part) { seconds[part, default: 0] += max(0, value) }
        for (index, run) in runs.enumerated() {
            // Whatever a later start went on from, what came after that is lost.
            let kept = runs[(index + 1)...].map(\.step).min() ?? .max
            let done = run.lastStep - run.step
            let share = done > 0 ? Double(min(max(kept - run.step, 0), done)) / Double(done) : 1
            let training = run.spent[Spending.training.rawValue] ?? 0
            add(training * share, to: .training)
            add(training * (1 - share), to: .again)
            add(run.spent[Spending.saving.rawValue] ?? 0, to: .saving)
            add(run.spent[Spending.evaluating.rawValue] ?? 0, to: .evaluating)
            add(run.ready - (run.began ?? run.ready), to: .restart)
            guard index + 1 < runs.count, let next = runs[index + 1].began else { continue }
            guard let ended = run.ended else {
                add(next - run.lastSign, to: .restart)
                continue
            }
            add(ended.time - run.lastSign, to: .detection)
            add(next - ended.time, to: [0, stoppedExitStatus].contains(ended.status) ? .stopped : .restart)
        }
        add(wall - seconds.values.reduce(0, +), to: .rest)
    }

    private static func starts(_ events: [RunEvent]) -> [Start] {
        var starts: [Start] = []
        for event in events {
            if event.kind == .start {
                let step = event.step ?? 0
                starts.append(
                    Start(began: event.began, ready: event.time, step: step, lastStep: step, lastSign: event.time))
            }
            guard let last = starts.indices.last else { continue }
            if event.kind == .beat {
                starts[last].lastStep = max(starts[last].lastStep, event.step ?? 0)
                (starts[last].lastSign, starts[last].spent) = (event.time, event.spent ?? [:])
                // It goes on: another job that was refused in the directory has ended.
                starts[last].ended = nil
            } else if event.kind == .ended, starts[last].ended == nil {
                starts[last].ended = (event.time, event.status ?? 0)
            }
        }
        return starts
    }

    // MARK: Text

    private var parts: [(part: Part, seconds: Double)] {
        Part.allCases.compactMap { part in seconds[part].map { (part, $0) } }.filter { $0.seconds > 0 }
    }

    /// A line for people.
    package var text: String {
        "goodput \(Self.rounded(share)) of \(TimeText.duration(wall)) since the first of \(starts) "
            + "start\(starts == 1 ? "" : "s"): "
            + parts.map { "\($0.part.rawValue) \(significant($0.seconds)) s" }.joined(separator: ", ")
    }

    /// Rows of a table: what, seconds, share of the wall time.
    package var rows: [[String]] {
        parts.map { part, seconds in
            [part.rawValue, significant(seconds), "\(significant(100 * seconds / max(wall, 1e-9))) %"]
        }
    }

    /// What metrics.jsonl ends with.
    package var metrics: [String: Double] {
        var values = ["goodput": share, "secondsSinceFirstStart": wall, "starts": Double(starts)]
        for (part, seconds) in seconds { values["seconds" + part.key] = seconds }
        return values
    }

    static func rounded(_ share: Double) -> Double { (share * 100).rounded() / 100 }
}

extension Goodput.Part {
    /// As metrics.jsonl calls it.
    fileprivate var key: String { "\(self)".prefix(1).uppercased() + "\(self)".dropFirst() }
}
