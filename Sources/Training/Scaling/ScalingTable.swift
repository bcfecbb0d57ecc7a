import DataParallel
import Learning
import Settings

extension ScalingPlan {
    /// A table with a line for each number of nodes, what was assumed above it, and what would help below.
    package func text(nodes: [Int]) -> String {
        var lines = assumptions, rows = [Self.header], faults: [String] = []
        for count in nodes {
            do { rows.append(cells(count, try row(nodes: count))) } catch { faults.append("\(count) nodes: \(error)") }
        }
        lines += threadNote(nodes.last ?? 1) + passNote + [""] + Self.aligned(rows)
        if !faults.isEmpty { lines += [""] + faults }
        if let most = nodes.last, let advice = try? advice(nodes: most) {
            lines += [
                "", advice.isEmpty ? "no setting would help \(most) nodes by 1 %" : "what would help \(most) nodes:",
            ]
            lines += advice.map { "  +\(significant(100 * $0.gain)) %  \($0.text)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private var assumptions: [String] {
        let failures = request.failuresPerNodeYear, within = node.links.withinHost ?? HostNetwork.usualWithinHost
        let ranks = request.ranksPerNode
        return [
            "\(node.task), \(node.precision), measured with \(node.images) images a rank on \(node.threads) "
                + "thread\(node.threads == 1 ? "" : "s"): \(milliseconds(node.steps.timeline.seconds(microBatches: 1))) ms a "
                + "step, ± \(milliseconds(node.steps.deviation)); delays take \(percent(node.steps.delays.share)) of the time, "
                + "the longest \(milliseconds(node.steps.delays.delays.last?.seconds ?? 0)) ms",
            "network \(request.network.text)" + (ranks > 1 ? "; within a node \(within.text)" : "")
                + ", gradients as \(configuration.parallel.wire.rawValue)",
            "\(ranks) rank\(ranks == 1 ? "" : "s") a node; \(significant(failures)) failures of a node in a year, "
                + "\(significant(request.restartSeconds)) s for a restart; loading is taken to keep up",
        ]
    }

    /// Where a run would compute on other threads than were measured.
    private func threadNote(_ nodes: Int) -> [String] {
        guard let threads = try? corePlan(ranks: nodes * request.ranksPerNode).ranks[0].compute, threads != node.threads
        else { return [] }
        return [
            "NOTE: a run computes on \(threads) threads of such a rank, not on \(node.threads): measure with "
                + "--threads \(threads), or set parallel.threads"
        ]
    }

    /// Where a run would interleave passes, and one was measured that does not.
    private var passNote: [String] {
        guard configuration.parallel.passes != .inTurn, configuration.task.interleavedActivations > 1,
            !node.steps.timeline.isInterleaved
        else { return [] }
        return ["NOTE: passes were measured in turn: measure with the parallel.passes of the run"]
    }

    private static let header = [
        "nodes", "ranks", "batch", "step ms", "efficiency", "statistics ms", "stragglers ms", "gradients ms",
        "memory GB",
        "sent MB", "goodput", "limited by",
    ]

    private func cells(_ nodes: Int, _ row: Row) -> [String] {
        let limit = row.limit.map { "\($0.rawValue) (\(percent(row.losses[$0]!)))" } ?? "computing"
        return [
            "\(nodes)", "\(row.batch.ranks)", "\(row.batch.global)", milliseconds(row.step.seconds),
            percent(row.efficiency), milliseconds(row.step.awaited), milliseconds(row.step.stragglers),
            milliseconds(row.step.gradients), significant(Double(row.memory) / 1e9), significant(row.sent / 1e6),
            percent(row.goodput.share), limit,
        ]
    }

    private func milliseconds(_ seconds: Double) -> String { significant(1e3 * seconds) }

    private func percent(_ share: Double) -> String { fixed(100 * share, digits: 1) + " %" }

    /// Numbers end below each other; the last column is text.
    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
        return rows.map { row in
            zip(row, widths).dropLast().map { $0.leadingPadding(to: $1) }.joined(separator: "  ") + "  " + row.last!
        }
    }
}
