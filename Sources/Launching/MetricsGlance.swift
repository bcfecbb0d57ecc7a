import Files
package import SystemPackage
import Training

/// What the end of metrics.jsonl tells of the latest start of a run.
package struct MetricsGlance: Sendable, Equatable {
    /// When the program last began or resumed, in seconds since 1970; nil for never.
    package var start: Double?
    /// The last step since, and when it was recorded; nil for none.
    package var lastStep: Int?
    package var lastTime: Double?

    package init(start: Double? = nil, lastStep: Int? = nil) { (self.start, self.lastStep) = (start, lastStep) }

    /// Reads from the end to the latest start. A file that is not there tells nothing; one that cannot be read is an error.
    package init(_ path: FilePath) throws {
        guard try FileKind(of: path) != .nothing else { return }
        let bytes = try WholeFile.bytes(of: path)
        var rest = bytes[...]
        while !rest.isEmpty {
            let begin = rest.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.startIndex, line = rest[begin...]
            rest = rest[..<max(begin - 1, rest.startIndex)]
            // Of all the steps before the last nothing need be known.
            if lastStep != nil, !line.starts(with: Self.beginningOfStart) { continue }
            guard let record = MetricRecord(json: Array(line)) else { continue }
            switch record.kind {
            case .train:
                lastTime = lastTime ?? record.time
                lastStep = lastStep ?? record.step
            case .start:
                start = record.time
                return
            case .evaluation, .end: break
            }
        }
        // Steps of no start: of a file that was cut.
        (lastStep, lastTime) = (nil, nil)
    }

    private static let beginningOfStart = Array(#"{"kind":"start""#.utf8)

    /// What of it belongs to a job before which `earlier` was seen.
    package func since(_ earlier: MetricsGlance) -> MetricsGlance { start == earlier.start ? MetricsGlance() : self }
}
