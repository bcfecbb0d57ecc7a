import Drawing
import Files
import Foundation
import Learning
package import Threads

/// One page about one run or several: loss, rates, speed, scores, pictures, time, faults, configuration.
///
/// A file that needs no other and no network, at most `largest` bytes: pictures that would make it larger are left out.
package struct ReportPage {
    private let runs: [RunRecord]
    private let clock: any TimeSource

    /// What a mail or a slow line still takes.
    package static let largest = 5_000_000

    /// - Parameter runs: one at least.
    package init(_ runs: [RunRecord], clock: any TimeSource = SystemClock()) {
        precondition(!runs.isEmpty, "a report of no run")
        (self.runs, self.clock) = (runs, clock)
    }

    /// The page. Throws where a picture cannot be read.
    package func html() throws -> String {
        let title = runs.map(\.name).joined(separator: ", ")
        let before = header(title) + tiles + scoreTable + charts, after = time + goodput + faults + details
        let room = Self.largest - ReportStyle.page(title, before + after).utf8.count
        let pictures = try runs.map { try ReportPictures($0, room: room / runs.count).html }.joined()
        return ReportStyle.page(title, before + pictures + after)
    }

    // MARK: Sections

    private func header(_ title: String) -> String {
        let time = TimeText.utc(clock.wall)
        return "<h1>\(title.escaped)</h1><p class=\"faint\">pixpro, written \(time.escaped)</p>"
    }

    private var tiles: String {
        guard runs.count == 1, let last = runs[0].training.last else { return "" }
        func tile(_ value: String, _ name: String) -> String {
            "<div class=\"tile\"><b>\(value.escaped)</b><span>\(name.escaped)</span></div>"
        }
        let speeds = runs[0].training.compactMap { $0.values[MetricRecord.imagesPerSecond] }.sorted()
        var tiles = [tile("\(last.step)", "steps"), tile(Ticks.fixed(last.epoch, digits: 1), "epochs")]
        if let loss = last.values[MetricRecord.loss] { tiles.append(tile(number(loss), "loss")) }
        if !speeds.isEmpty { tiles.append(tile(number(speeds[speeds.count / 2]), "images/s, middle")) }
        return "<div class=\"tiles\">" + tiles.joined() + "</div>"
    }

    private var scoreTable: String {
        let scored = runs.filter { !$0.scores.isEmpty }
        guard !scored.isEmpty else { return "" }
        let rows = scored.flatMap { run in
            run.scores.map { score in
                [
                    (scored.count > 1 ? run.name + ": " : "") + score.name, number(score.last),
                    score.best.map(number) ?? "–", score.random.map(number) ?? "–",
                ]
            }
        }
        return "<h2>Scores</h2>" + table(["score", "last", "best", "random weights"], rows)
    }

    private var charts: String {
        let figures =
            runs.count == 1
            ? CurveSeries(runs[0].metrics).charts.map(\.chart)
            : CurveSeries.compared(runs.map { ($0.name, $0.metrics) })
        return figures.isEmpty ? "" : "<h2>Curves</h2><div class=\"charts\">\(figures.map(\.figure).joined())</div>"
    }

    private var time: String {
        let bars = runs.compactMap { run -> String? in
            let parts = run.secondsByPart, total = parts.reduce(0) { $0 + $1.seconds }
            guard total > 0 else { return nil }
            let bar = parts.enumerated().map { index, part in
                "<i style=\"width:\(Ticks.fixed(100 * part.seconds / total, digits: 2))%;background:var(--series-\(index))\"></i>"
            }
            let keys = parts.enumerated().map { index, part in
                "<span class=\"key\" style=\"--key: var(--series-\(index))\">\(part.name) "
                    + "\(Ticks.fixed(100 * part.seconds / total, digits: 1)) %</span>"
            }
            return "<p>\(runs.count > 1 ? run.name.escaped : "")</p><div class=\"bar\">\(bar.joined())</div>"
                + "<span class=\"legend\">\(keys.joined())</span>"
        }
        guard !bars.isEmpty else { return "" }
        return "<h2>Where the steps' time went</h2><div class=\"card\">\(bars.joined())</div>"
    }

    /// Since the first start, over all starts.
    private var goodput: String {
        let known = runs.compactMap { run in run.goodput.map { (run.name, $0) } }
        guard !known.isEmpty else { return "" }
        return "<h2>What the time since the first start went on</h2>"
            + known.map { name, goodput in
                "<p>\((runs.count > 1 ? name + ": " : "").escaped)goodput \(number(goodput.share)), "
                    + "\(goodput.starts) start\(goodput.starts == 1 ? "" : "s"), \(TimeText.duration(goodput.wall))</p>"
                    + table(["what", "seconds", "share"], goodput.rows)
            }.joined()
    }

    private var faults: String {
        let rows = runs.flatMap { run in
            run.starts.filter { $0.step > 0 }.map { start in
                [run.name, TimeText.utc(start.time), "\(start.step)"]
            }
        }
        guard !rows.isEmpty else { return "" }
        return "<h2>Stops survived</h2>" + table(["run", "went on at", "from step"], rows)
    }

    private var details: String {
        runs.map { run in
            machine(of: run)
                + "<details><summary>Configuration of \(run.name.escaped)</summary><pre>\(run.configuration.escaped)</pre></details>"
                + "<details><summary>Log of \(run.name.escaped), its last lines</summary><pre>\(run.log.escaped)</pre></details>"
        }.joined()
    }

    private func machine(of run: RunRecord) -> String {
        guard !run.machines.isEmpty else { return "" }
        let name = runs.count > 1 ? run.name + ": " : ""
        return "<p>\((name + run.machines.joined(separator: "; then ")).escaped)</p>"
    }

    // MARK: Text

    private func table(_ header: [String], _ rows: [[String]]) -> String {
        let head = "<tr>" + header.map { "<th>\($0.escaped)</th>" }.joined() + "</tr>"
        let body = rows.map { "<tr>" + $0.map { "<td>\($0.escaped)</td>" }.joined() + "</tr>" }.joined()
        return "<div class=\"card scroll\"><table>\(head)\(body)</table></div>"
    }

    private func number(_ value: Double) -> String { significant(value) }
}
