import Foundation
import TensorCore

/// What a step reads and writes beyond the cache, operation by operation, in MB of an image pair.
struct TrafficTable {
    private let traffic: MemoryTraffic
    private let pairs: Int

    /// - Parameter pairs: that the step had on this rank.
    init(_ traffic: MemoryTraffic, pairs: Int) { (self.traffic, self.pairs) = (traffic, pairs) }

    /// One of the table's lines.
    private struct Line {
        let stage, operation: String
        let count: Int
        let bytes: MemoryTraffic.Bytes
    }

    /// By stage and operation, and the sum of all.
    private var lines: [Line] {
        let rows = traffic.rows, count = rows.reduce(0) { $0 + $1.count }
        let parts = rows.map {
            Line(stage: $0.stage.rawValue, operation: $0.operation, count: $0.count, bytes: $0.bytes)
        }
        return parts + [Line(stage: "step", operation: "all", count: count, bytes: traffic.total)]
    }

    private func megabytes(_ bytes: Int) -> Double { Double(bytes) / 1e6 / Double(pairs) }

    private func share(_ line: Line) -> Double {
        Double(line.bytes.sum) / Double(max(traffic.total.sum, 1))
    }

    /// A line of JSON for each, the sum of all last.
    var figures: [Figure] {
        lines.map { line in
            Figure(
                name: "traffic",
                settings: [
                    "stage": .text(line.stage), "operation": .text(line.operation), "runs": .number(line.count),
                ],
                values: [
                    "MB/pair": megabytes(line.bytes.sum), "MB read/pair": megabytes(line.bytes.read),
                    "MB written/pair": megabytes(line.bytes.written), "of all": share(line),
                ])
        }
    }

    /// For people.
    var text: String {
        func row(_ texts: [String]) -> String {
            let widths = [14, 22, 6, 10, 10, 10, 7]
            return zip(texts, widths).enumerated().map { place, cell in
                let (text, width) = cell, blanks = String(repeating: " ", count: max(0, width - text.count))
                return place < 2 ? text + blanks : blanks + text
            }.joined(separator: " ")
        }
        let rule = String(repeating: "-", count: 85)
        let head = row(["Stage", "Operation", "Runs", "Read", "Written", "Both", "%"])
        let body = lines.map { line in
            let bytes = [line.bytes.read, line.bytes.written, line.bytes.sum]
            return row(
                [line.stage, line.operation, "\(line.count)"] + bytes.map { String(format: "%.2f", megabytes($0)) }
                    + [String(format: "%.1f", 100 * share(line))])
        }
        let title = "Bytes beyond the cache, in MB of an image pair"
        let texts = [title, rule, head, rule] + body.dropLast() + [rule] + body.suffix(1) + [rule]
        return texts.joined(separator: "\n")
    }
}
