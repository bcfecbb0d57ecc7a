package import Checkpointing
import Files
import Foundation
package import MessagePassing
package import SystemPackage
package import Threads

/// What a run spends its time on, as its history counts it.
package enum Spending: String, Sendable, CaseIterable {
    case training, saving, evaluating
}

/// history.jsonl of a run's directory: the run's identity, its starts, how far each came, and what its time went on.
///
/// Nothing is ever taken out of it, as is of metrics.jsonl for steps that are trained anew. Rank zero writes; all ranks
/// know identity and course.
package final class RunHistory {
    /// Tells the memory of this run from that of any other, also of one that began in the same directory.
    package let identity: String
    package private(set) var course: RunCourse
    private let file: AppendedFile?
    private let clock: any TimeSource
    private var spent: [Spending: Double] = [:]
    private var ready = 0.0
    private var lastBeat = 0.0

    /// Seconds between two beats; those of a long run are rarer, at most a thousandth of its time apart.
    private static let beatSeconds = 1.0

    /// Collective.
    package init(
        _ directory: RunDirectory, over communicator: any Collective, clock: any TimeSource = SystemClock()
    ) throws {
        self.clock = clock
        var events: [RunEvent] = []
        file = try communicator.agree(on: "reading \(directory.history.shown)") {
            guard communicator.isRoot else { return nil }
            events = try RunEvent.read(directory.history)
            let file = try AppendedFile(path: directory.history)
            if events.first(where: { $0.kind == .run }) == nil {
                let identity = String(UInt64.random(in: .min ... .max), radix: 36)
                events.append(RunEvent(.run, time: clock.wall, identity: identity))
                try file.append(events.last!.line)
                try file.synchronize()
            }
            return file
        }
        identity = try communicator.broadcast(events.first { $0.kind == .run }?.identity ?? "")
        course = RunCourse(starts: try communicator.broadcast(events.filter { $0.kind == .start }.map { $0.step ?? 0 }))
    }

    /// The number of the start that goes on now, from one.
    package var start: Int { course.starts.count }

    /// Training goes on from a step, in a program that began at `began`, in seconds since 1970, on some machine; both nil
    /// where it has gone on before. Returns when the disk has it: states that the run leaves behind must be known as such. Collective.
    package func begin(
        step: Int, began: Double? = nil, machine: MachineSummary? = nil, over communicator: any Collective
    ) throws {
        course.starts.append(step)
        (spent, ready, lastBeat) = ([:], clock.wall, clock.wall)
        try communicator.agree(on: "writing the run's history") {
            try file?.append(
                RunEvent(.start, time: ready, step: step, began: began, machine: machine?.text).line)
            try file?.synchronize()
        }
    }

    package func spend(_ seconds: Double, on what: Spending) { spent[what, default: 0] += seconds }

    /// A step was trained, which is noted now and then.
    package func stepped(_ step: Int, seconds: Double) {
        spend(seconds, on: .training)
        let now = clock.wall
        if now - lastBeat >= max(Self.beatSeconds, (now - ready) / 1000) { beat(step, now) }
    }

    /// The program leaves with a status, by itself.
    package func end(step: Int, status: Int32) {
        beat(step, clock.wall)
        write(RunEvent(.ended, time: clock.wall, status: status))
    }

    private func beat(_ step: Int, _ now: Double) {
        lastBeat = now
        write(
            RunEvent(
                .beat, time: now, step: step,
                spent: Dictionary(uniqueKeysWithValues: spent.map { ($0.rawValue, $1) })))
    }

    /// A full disk that takes no beat costs some seconds of the account, and not the run.
    private func write(_ event: RunEvent) { try? file?.append(event.line) }
}

/// A line of a run's history.
package struct RunEvent: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable {
        /// The run has an identity.
        case run
        /// Training goes on.
        case start
        /// How far it has come since, and what the time went on.
        case beat
        /// A job is over.
        case ended
    }

    package var kind: Kind
    /// Seconds since 1970.
    package var time: Double
    package var identity: String?
    /// From which training goes on, or that was trained last.
    package var step: Int?
    /// When the program began that goes on; none where it has gone on before.
    package var began: Double?
    /// What it goes on upon, as far as that is said anew.
    package var machine: String?
    /// Seconds since the start.
    package var spent: [String: Double]?
    package var status: Int32?

    package init(
        _ kind: Kind, time: Double, identity: String? = nil, step: Int? = nil, began: Double? = nil,
        machine: String? = nil, spent: [String: Double]? = nil, status: Int32? = nil
    ) {
        (self.kind, self.time, self.identity, self.step) = (kind, time, identity, step)
        (self.began, self.machine, self.spent, self.status) = (began, machine, spent, status)
    }

    /// With the line's end.
    package var line: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("an event that is no JSON: \(error)")
        }
    }

    /// All of a file, in order; lines that a crash cut off are left out. None where there is no file.
    package static func read(_ path: FilePath) throws -> [RunEvent] {
        guard FileSystem.exists(path) else { return [] }
        let decoder = JSONDecoder()
        return try WholeFile.bytes(of: path).split(separator: UInt8(ascii: "\n")).compactMap {
            // The next line begins right behind one that was cut off: both are lost, and no more.
            try? decoder.decode(RunEvent.self, from: Data($0))
        }
    }

    /// Notes in the history of a run that its job is over, for the launcher. A history that is out of sight gets no note.
    package static func noteEnd(of directory: RunDirectory, status: Int32, clock: any TimeSource = SystemClock()) {
        guard FileSystem.exists(directory.history) else { return }
        try? AppendedFile(path: directory.history).append(
            RunEvent(.ended, time: clock.wall, status: status).line)
    }
}
