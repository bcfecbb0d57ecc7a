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

/// What the time between a program's beginning and the first step goes on, as far as it is told apart.
package enum StartPart: String, Sendable, CaseIterable {
    case pictures = "finding pictures"
    case networks = "making networks"
    case checkpoint = "loading the checkpoint"
}

/// history.jsonl of a run's directory: the run's identity, its starts, how far each came, and what its time went on.
///
/// Nothing is ever taken out of it, as is of metrics.jsonl for steps that are trained anew. Rank zero writes; all ranks
/// know identity and course.
package final class RunHistory {
    /// Tells the memory of this run from that of any other, also of one that began in the same directory.
    package let identity: String
    package private(set) var course: RunCourse
    /// Of rank zero.
    private let file: PatientFile?
    private let failures: ToleratedFailures
    private let clock: any TimeSource
    private var spent: [Spending: Double] = [:]
    /// When the start was ready and its last beat was noted, by the clock that is never set; nil before it.
    private var started = 0.0
    private var lastBeat: Double?

    /// Seconds between two beats; those of a long run are rarer, at most a thousandth of its time apart.
    private static let beatSeconds = 1.0

    /// Collective.
    ///
    /// - Parameter failures: takes those that cost some seconds of the account.
    package init(
        _ directory: RunDirectory, over communicator: any Collective, failures: ToleratedFailures,
        clock: any TimeSource = SystemClock()
    ) throws {
        (self.clock, self.failures) = (clock, failures)
        var events: [RunEvent] = []
        file = try communicator.agree(on: "reading \(directory.history.shown)") {
            guard communicator.isRoot else { return nil }
            events = try RunEvent.read(directory.history)
            let known = RunEvent.run(events, in: directory), place = RunPlace(of: directory.path)
            // A run that was moved, or began before places were noted, is the same at its new place.
            if known?.place != place {
                let identity = known?.identity ?? String(UInt64.random(in: .min ... .max), radix: 36)
                var event = RunEvent(.run, time: clock.wall, identity: identity)
                event.place = place
                try RunEvent.append(event, to: directory.history)
                events.append(event)
            }
            return try RunEvent.opened(directory.history)
        }
        identity = try communicator.broadcast(events.last { $0.kind == .run }?.identity ?? "")
        course = RunCourse(starts: try communicator.broadcast(events.filter { $0.kind == .start }.map { $0.step ?? 0 }))
    }

    /// The number of the start that goes on now, from one.
    package var start: Int { course.starts.count }

    /// Training goes on from a step. Returns when the disk has it: states that the run leaves behind must be known as such.
    /// Collective.
    ///
    /// - Parameters:
    ///   - began: when this program did, in seconds since 1970; nil where training goes on that had before.
    ///   - machine: what it goes on upon; nil where that stays.
    ///   - preparing: what the seconds since went on.
    ///   - cut: how an update is cut from now on; nil where that stays.
    ///   - compared: on which hosts the pictures were found to be the same; nil where that was not looked at.
    package func begin(
        step: Int, began: Double? = nil, machine: MachineSummary? = nil, preparing: [StartPart: Double] = [:],
        cut: UpdateCut? = nil, compared: ComparedPictures? = nil, over communicator: any Collective
    ) throws {
        course.starts.append(step)
        (spent, started, lastBeat) = ([:], clock.monotonic, nil)
        let parts = Dictionary(uniqueKeysWithValues: preparing.map { ($0.rawValue, $1) })
        try communicator.agree(on: "writing the run's history") {
            var event = RunEvent(.start, time: clock.wall, step: step, began: began, spent: parts.isEmpty ? nil : parts)
            (event.machine, event.cut, event.compared) = (machine?.text, cut, compared)
            try file?.append(event.line)
            try file?.synchronize()
        }
    }

    package func spend(_ seconds: Double, on what: Spending) { spent[what, default: 0] += seconds }

    /// A step was trained, which is noted now and then, and of the first one always.
    package func stepped(_ step: Int, seconds: Double) {
        spend(seconds, on: .training)
        // Clocks on the wall may be set back.
        let now = clock.monotonic
        if lastBeat.map({ now - $0 >= max(Self.beatSeconds, (now - started) / 1000) }) ?? true { beat(step) }
    }

    /// The program leaves with a status, by itself.
    package func end(step: Int, status: Int32) {
        beat(step)
        write(RunEvent(.ended, time: clock.wall, status: status))
        failures.attempt { try file?.finish() }
    }

    private func beat(_ step: Int) {
        lastBeat = clock.monotonic
        write(
            RunEvent(
                .beat, time: clock.wall, step: step,
                spent: Dictionary(uniqueKeysWithValues: spent.map { ($0.rawValue, $1) })))
    }

    /// A full disk that takes no beat costs some seconds of the account, and not the run.
    private func write(_ event: RunEvent) { failures.attempt { try file?.append(event.line) } }
}

/// Into how many micro-batches an update is cut, and what `batch.microBatch` said; nil for auto.
package struct UpdateCut: Codable, Sendable, Equatable {
    package var microBatches: Int
    package var microBatch: Int?

    package init(microBatches: Int, microBatch: Int?) {
        (self.microBatches, self.microBatch) = (microBatches, microBatch)
    }
}

/// Hosts on which pictures were found to be the same.
package struct ComparedPictures: Codable, Sendable, Equatable {
    /// Of their names and sizes.
    package var fingerprint: Int
    package var hosts: [String]

    package init(fingerprint: Int, hosts: [String]) { (self.fingerprint, self.hosts) = (fingerprint, hosts) }

    /// Whether earlier starts have compared such pictures on all of these hosts with each other.
    package func areKnown(from events: [RunEvent]) -> Bool {
        events.contains { event in
            guard let compared = event.compared, compared.fingerprint == fingerprint else { return false }
            return Set(compared.hosts).isSuperset(of: hosts)
        }
    }
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
    /// Of the directory that has the identity.
    package var place: RunPlace?
    /// From which training goes on, or that was trained last.
    package var step: Int?
    /// When the program began that goes on; none where it has gone on before.
    package var began: Double?
    /// Seconds since the start, and of a start those before it.
    package var spent: [String: Double]?
    package var status: Int32?
    /// Of a start, as the others.
    package var machine: String?
    package var cut: UpdateCut?
    package var compared: ComparedPictures?

    package init(
        _ kind: Kind, time: Double, identity: String? = nil, step: Int? = nil, began: Double? = nil,
        spent: [String: Double]? = nil, status: Int32? = nil
    ) {
        (self.kind, self.time, self.identity, self.step) = (kind, time, identity, step)
        (self.began, self.spent, self.status) = (began, spent, status)
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

    /// Adds a line to a file, on the disk when it returns.
    static func append(_ event: RunEvent, to path: FilePath) throws {
        let file = try opened(path)
        try file.append(event.line)
        try file.synchronize()
    }

    /// A file at whose end a line begins, whatever a crash or a full disk left there.
    static func opened(_ path: FilePath) throws -> PatientFile {
        let file = try PatientFile(path: path), written = try InputFile(path: path), end = [UInt8(ascii: "\n")]
        if written.size > 0, try written.bytes(written.size - 1..<written.size) != end { try file.append(end) }
        return file
    }

    /// All of a file, in order; lines that a crash cut off are left out. None where there is no file.
    package static func read(_ path: FilePath) throws -> [RunEvent] {
        guard FileSystem.exists(path) else { return [] }
        let decoder = JSONDecoder()
        return try WholeFile.bytes(of: path).split(separator: UInt8(ascii: "\n")).compactMap { line in
            line.starts(with: beginningOfBeat)
                ? RunEvent(beat: Array(line)) : try? decoder.decode(RunEvent.self, from: Data(line))
        }
    }

    private static let beginningOfBeat = Array(#"{"kind":"beat""#.utf8)

    /// Nearly all lines are beats, and every start and every look of the launcher reads them: Foundation's decoder takes three
    /// times as long. Nil for one that a crash cut off.
    private init?(beat line: [UInt8]) {
        var reader = JSONReader(line), step: Int?, time: Double?, spent: [String: Double]?
        do {
            try reader.object { reader, key in
                switch key {
                case "step": step = try reader.integer()
                case "time": time = try reader.double()
                case "spent":
                    var parts: [String: Double] = [:]
                    try reader.object { reader, part in parts[part] = try reader.double() }
                    spent = parts
                default: try reader.skipValue()
                }
            }
            try reader.end()
        } catch {
            return nil
        }
        guard let time else { return nil }
        self.init(.beat, time: time, step: step, spent: spent)
    }

    /// The last beat of the latest start; nil where no step was trained since.
    package static func lastBeat(of events: [RunEvent]) -> RunEvent? {
        events.last { [.start, .beat].contains($0.kind) }.flatMap { $0.kind == .beat ? $0 : nil }
    }

    /// The identity and the course of the run that a directory holds; nil where it holds none that can be read.
    package static func run(in directory: RunDirectory) -> (identity: String, course: RunCourse)? {
        guard let events = try? read(directory.history), let identity = run(events, in: directory)?.identity
        else { return nil }
        return (identity, RunCourse(starts: events.filter { $0.kind == .start }.map { $0.step ?? 0 }))
    }

    /// The event that gave a run its identity; nil where there is none, and in a copy of the directory, whose run is another
    /// one from there on.
    static func run(_ events: [RunEvent], in directory: RunDirectory) -> RunEvent? {
        guard let event = events.last(where: { $0.kind == .run }) else { return nil }
        return event.place?.isCopied(to: RunPlace(of: directory.path)) ?? false ? nil : event
    }

    /// Notes in the history of a run that its job is over, for the launcher. A history that is out of sight gets no note.
    package static func noteEnd(of directory: RunDirectory, status: Int32, clock: any TimeSource = SystemClock()) {
        guard FileSystem.exists(directory.history) else { return }
        try? append(RunEvent(.ended, time: clock.wall, status: status), to: directory.history)
    }
}
