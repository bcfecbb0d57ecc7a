import Glibc

/// metrics.jsonl: every number that a run reported, one JSON object per line.
///
/// Each record is one write(2) of a whole line, so that a reader never sees a part and a crash loses none.
public final class MetricsFile {
    public let path: String
    private let descriptor: Int32

    /// Opens the file to append to, after taking out what a resumed run will write again.
    ///
    /// - Parameter firstStep: the step of the first record to come: records of this and later steps are dropped, as
    ///   are lines that a crash cut off. Nil keeps all records.
    public init(path: String, firstStep: Int? = nil) throws {
        self.path = path
        if TextFile.exists(path) {
            let (records, unreadableLines) = try MetricsFile.read(path)
            let kept = records.filter { $0.step < firstStep ?? .max }
            if kept.count < records.count || !unreadableLines.isEmpty {
                try TextFile.write(kept.map { $0.json + "\n" }.joined(), to: path)
            }
        }
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw TextFileError(path: path, action: "open") }
    }

    deinit { close(descriptor) }

    public func append(_ record: MetricRecord) throws {
        try TextFile.writeAll(Array((record.json + "\n").utf8), to: descriptor, path: path)
    }

    /// All records of a file, and the numbers (from 1) of lines that are none: at most the last, cut off by a crash,
    /// unless something else wrote to the file.
    public static func read(_ path: String) throws -> (records: [MetricRecord], unreadableLines: [Int]) {
        var records: [MetricRecord] = []
        var unreadable: [Int] = []
        let text = try TextFile.read(path)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        for (index, line) in lines.enumerated() {
            // A last line without its end may be a number cut short that still parses.
            let isWhole = index < lines.count - 1 || text.hasSuffix("\n")
            if isWhole, let record = MetricRecord(json: line) {
                records.append(record)
            } else {
                unreadable.append(index + 1)
            }
        }
        return (records, unreadable)
    }
}
