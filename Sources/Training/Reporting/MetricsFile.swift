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
            let lines = try MetricsFile.lines(of: path)
            // What stays keeps its bytes: a number that is read and written again may end in another digit.
            let kept = lines.filter { line in line.record.map { $0.step < firstStep ?? .max } ?? false }
            lastDropped = lines.compactMap { $0.record?.step }.filter { $0 >= firstStep ?? .max }.max()
            if kept.count < lines.count { try WholeFile.write(kept.map { $0.text + "\n" }.joined(), to: path) }
        }
        self.lastDropped = lastDropped
        file = try PatientFile(path: path)
    }

    /// Throws where the record could not be written, and writes it before the next one then.
    package func append(_ record: MetricRecord) throws { try file.append(Array((record.json + "\n").utf8)) }

    /// All records of a file, and the numbers (from 1) of lines that are none: at most the last, cut off by a crash,
    /// unless something else wrote to the file.
    package static func read(_ path: FilePath) throws -> (records: [MetricRecord], unreadableLines: [Int]) {
        let lines = try lines(of: path)
        return (lines.compactMap(\.record), lines.indices.filter { lines[$0].record == nil }.map { $0 + 1 })
    }

    /// Every line, with the record that it is, if it is one.
    private static func lines(of path: FilePath) throws -> [(text: Substring, record: MetricRecord?)] {
        let text = try WholeFile.text(of: path)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.enumerated().map { index, line in
            // A last line without its end may be a number cut short that still parses.
            let isWhole = index < lines.count - 1 || text.hasSuffix("\n")
            return (line, isWhole ? MetricRecord(json: line) : nil)
        }
    }
}
