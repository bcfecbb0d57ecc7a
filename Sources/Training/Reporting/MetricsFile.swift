import Files
package import SystemPackage

/// metrics.jsonl: every number that a run reported, one JSON object per line.
///
/// Each record is one write(2) of a whole line, so that a reader never sees a part and a crash loses none.
package final class MetricsFile {
    package var path: FilePath { file.path }
    private let file: PatientFile
    /// The last step of those that were taken out; nil where none was.
    package let lastDropped: Int?

    /// Opens the file to append to, after taking out what a resumed run will write again.
    ///
    /// - Parameter firstStep: the step of the first record to come: records of this and later steps are dropped, as
    ///   are lines that a crash cut off. Nil keeps all records.
    package init(path: FilePath, firstStep: Int? = nil) throws {
        var lastDropped: Int?
        if FileSystem.exists(path) {
            let bytes = try WholeFile.bytes(of: path), kept = Self.part(of: bytes, before: firstStep ?? .max)
            lastDropped = kept.lastDropped
            // What stays keeps its bytes: a number that is read and written again may end in another digit.
            if kept.count < bytes.count { try WholeFile.write(Array(bytes[..<kept.count]), to: path) }
        }
        self.lastDropped = lastDropped
        file = try PatientFile(path: path)
    }

    /// Throws where the record could not be written, and writes it before the next one then.
    package func append(_ record: MetricRecord) throws { try file.append(Array((record.json + "\n").utf8)) }

    /// Writes records that the disk has not taken before.
    func finish() throws { try file.finish() }

    private static let newline = UInt8(ascii: "\n")

    /// How many bytes stay. Steps rise from line to line, so that what goes is at the end: of a long run little is read.
    private static func part(of bytes: [UInt8], before firstStep: Int) -> (count: Int, lastDropped: Int?) {
        var count = bytes.count, lastDropped: Int?
        while count > 0 {
            // A last line without its end may be a number cut short that still parses.
            let isWhole = bytes[count - 1] == newline, end = isWhole ? count - 1 : count
            let begin = bytes[..<end].lastIndex(of: newline).map { $0 + 1 } ?? 0
            if isWhole, let record = MetricRecord(json: Array(bytes[begin..<end])) {
                if record.step < firstStep { break }
                lastDropped = max(lastDropped ?? 0, record.step)
            }
            count = begin
        }
        return (count, lastDropped)
    }

    /// All records of a file, and the numbers (from 1) of lines that are none: at most the last, cut off by a crash,
    /// unless something else wrote to the file.
    package static func read(_ path: FilePath) throws -> (records: [MetricRecord], unreadableLines: [Int]) {
        var lines = try WholeFile.bytes(of: path).split(separator: newline, omittingEmptySubsequences: false)
        let cut = lines.removeLast()
        let records = lines.map { MetricRecord(json: Array($0)) }
        let unreadable = records.indices.filter { records[$0] == nil } + (cut.isEmpty ? [] : [lines.count])
        return (records.compactMap { $0 }, unreadable.map { $0 + 1 })
    }

    /// The records of one kind, of which most files have few: the others are not read.
    static func records(of kind: MetricRecord.Kind, in path: FilePath) throws -> [MetricRecord] {
        let beginning = Array(#"{"kind":"\#(kind.rawValue)""#.utf8)
        return try WholeFile.bytes(of: path).split(separator: newline).filter { $0.starts(with: beginning) }
            .compactMap { MetricRecord(json: Array($0)) }
    }
}
