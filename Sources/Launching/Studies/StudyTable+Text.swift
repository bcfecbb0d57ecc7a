package import Drawing
import Foundation
import Learning
import Training

extension StudyTable {
    /// Two tables in Markdown: scores (shares in per cent), and how long each start took.
    package func markdown(_ study: Study, pretrainingSeconds: [String: Double]) -> String {
        let scores = Self.table(
            ["labels", "start", "seeds", score, "±", "difference", "±", "95 % over pictures", "verdict"],
            rows.map { row in
                let difference = row.difference
                return [
                    row.share.text, row.start, Self.progress(row.values.count, row.share.seeds), Self.percent(row.mean),
                    Self.percent(row.deviation), Self.percent(difference?.mean, signed: true),
                    Self.percent(difference?.deviation),
                    difference?.interval.map {
                        "\(Self.percent($0.low, signed: true)) to \(Self.percent($0.high, signed: true))"
                    } ?? "-", difference?.verdict ?? "-",
                ]
            })
        let times = Self.table(
            ["start", "pretraining"] + study.shares.map { "a run on \($0.text)" },
            study.starts.map { start in
                let pretraining =
                    start.pretraining.map { pretrainingSeconds[$0].map(TimeText.duration) ?? "-" } ?? "none"
                return [start.name, pretraining]
                    + rows.filter { $0.start == start.name }.map { $0.seconds.map(TimeText.duration) ?? "-" }
            })
        return """
            \(scores)

            Differences are to \(study.starts[0].name), paired by seed, ± their deviation over seeds. A difference inside that \
            spread, or whose 95 % interval over the scored pictures has both signs, is a tie.

            \(times)

            """
    }

    private static func progress(_ done: Int, _ all: Int) -> String { done == all ? "\(all)" : "\(done) of \(all)" }

    private static func percent(_ value: Double?, signed: Bool = false) -> String {
        value.map { String(format: signed ? "%+.1f" : "%.1f", 100 * $0) } ?? "-"
    }

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max()! }
        func line(_ cells: [String]) -> String {
            "| "
                + zip(cells, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: " | ")
                + " |"
        }
        let rule = "| " + widths.map { String(repeating: "-", count: $0) }.joined(separator: " | ") + " |"
        return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
    }

    /// Means over the share of labels, a curve for each start.
    package func chart(_ study: Study) -> LineChart {
        LineChart(
            title: "\(score) by start, mean over seeds", xLabel: "labels used, per cent",
            series: study.starts.map { start in
                let points = rows.filter { $0.start == start.name }.compactMap { row in
                    row.mean.map { Point(100 * row.share.fraction, $0) }
                }
                return LineChart.Series(start.name, points.sorted { $0.x < $1.x }, hasDots: true)
            })
    }
}
