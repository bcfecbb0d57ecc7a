import Files
package import MessagePassing
package import SystemPackage
import TensorCore

/// Writes what every rank did in the first steps as a Chrome trace, which Perfetto (ui.perfetto.dev) and chrome://tracing
/// open: a process for each rank, with a track for computing, one for buckets of gradients on their way and one for each pass that is
/// interleaved with others.
///
/// Bounded to the first `steps` steps and the first `ranks` ranks, about half a megabyte for each rank. Ranks' clocks
/// start together behind a barrier.
package final class StepTrace {
    package static let steps = 10
    package static let ranks = 64

    private let path: FilePath
    private let communicator: any Collective
    private var stepsLeft = StepTrace.steps

    /// Makes sure that the file can be written, and begins to record. Collective.
    package init(path: FilePath, communicator: any Collective) throws {
        (self.path, self.communicator) = (path, communicator)
        try communicator.agree(on: "opening the trace") {
            if communicator.isRoot { try WholeFile.write("", to: path) }
        }
        try communicator.barrier("beginning the trace")
        if communicator.rank < Self.ranks { Trace.shared.start() }
    }

    /// Says that a step is done; the last that is recorded writes the file. Collective.
    package func stepped() throws {
        guard stepsLeft > 0 else { return }
        stepsLeft -= 1
        if stepsLeft == 0 { try write() }
    }

    /// Writes the file if the run ended sooner. Collective.
    package func finish() throws {
        guard stepsLeft > 0 else { return }
        stepsLeft = 0
        try write()
    }

    private func write() throws {
        let spans = Trace.shared.stop()
        let events = communicator.rank < Self.ranks ? Self.events(of: spans, rank: communicator.rank) : []
        let gathered = try communicator.gather(Array(events.joined(separator: ",\n").utf8))
        try communicator.agree(on: "writing the trace") {
            guard communicator.isRoot else { return }
            let all = gathered.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }
            try WholeFile.write(
                "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + all.joined(separator: ",\n") + "\n]}\n", to: path)
        }
    }

    private static func number(ofPass pass: Int) -> Int { Trace.Track.allCases.count - 1 + pass }

    /// One JSON object for each span, with times in microseconds, and the names of the process and its tracks.
    static func events(of spans: [Trace.Span], rank: Int) -> [String] {
        func name(_ what: String, track: Int, _ name: String) -> String {
            "{\"name\":\"\(what)\",\"ph\":\"M\",\"pid\":\(rank),\"tid\":\(track),\"args\":{\"name\":\"\(name)\"}}"
        }
        let tracks = Trace.Track.allCases.filter { track in spans.contains { $0.track == track && $0.pass == 0 } }
        let passes = Set(spans.map(\.pass)).subtracting([0]).sorted()
        return [name("process_name", track: 0, "rank \(rank)")]
            + tracks.map { name("thread_name", track: $0.rawValue, "\($0)") }
            + passes.map { name("thread_name", track: number(ofPass: $0), "pass \($0)") }
            + spans.map { span in
                let track = span.pass == 0 ? span.track.rawValue : number(ofPass: span.pass)
                return "{\"name\":\"\(span.name)\",\"ph\":\"X\",\"pid\":\(rank),\"tid\":\(track),"
                    + "\"ts\":\(Double(span.begin) / 1000),\"dur\":\(Double(span.duration) / 1000)}"
            }
    }
}
