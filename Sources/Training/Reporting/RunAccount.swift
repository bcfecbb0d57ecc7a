import Learning
package import MessagePassing
package import TensorCore

/// Where the time of a run went, over all ranks: what its log ends with.
package struct RunAccount: Sendable {
    /// A part, or the rest, and each rank's seconds.
    package let parts: [(name: String, seconds: [Double])]
    /// Each rank's wall time.
    package let total: [Double]
    private let hosts: [String]
    private let loadsBetweenSteps: Bool

    private static let restName = "rest"
    private static let names: [StepPart: String] = [
        .data: "waiting for pictures", .forward: "forward", .backward: "backward",
        .statistics: "statistics over ranks", .gradients: "gradients over ranks", .optimizer: "optimizer",
        .averaging: "moving averages", .checkpoints: "checkpoints", .evaluation: "evaluation",
    ]

    /// Collective.
    ///
    /// - Parameters:
    ///   - account: of this rank.
    ///   - hosts: of the ranks.
    ///   - loadsBetweenSteps: no thread loads pictures while others compute.
    package init(
        _ account: (parts: [StepPart: Double], total: Double), hosts: [String], loadsBetweenSteps: Bool,
        over ranks: any Collective
    ) throws {
        (self.hosts, self.loadsBetweenSteps) = (hosts, loadsBetweenSteps)
        var figures = Figures()
        for part in StepPart.allCases { figures.add("account \(part)", each: account.parts[part] ?? 0) }
        figures.add("account", each: account.total)
        let totals = try figures.reduced(over: ranks)
        let total = totals.each("account")
        let known = StepPart.allCases.map { (Self.names[$0]!, totals.each("account \($0)")) }
        let rest = total.indices.map { rank in total[rank] - known.reduce(0) { $0 + $1.1[rank] } }
        parts = (known + [(Self.restName, rest)]).filter { $0.1.contains { $0 > 0 } }
        self.total = total
    }

    private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

    private func share(_ part: StepPart) -> Double {
        guard let seconds = parts.first(where: { $0.name == Self.names[part] })?.seconds, mean(total) > 0 else {
            return 0
        }
        return mean(seconds) / mean(total)
    }

    /// A table for people, and what it suggests.
    package var text: String {
        let rows =
            [["where the time went (s)", "least", "mean", "most", "share"]]
            + parts.map { row($0.name, $0.seconds) } + [row("all", total)]
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
        let table = rows.map { row in
            row.enumerated().map { column, text in
                let gap = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + gap : gap + text
            }.joined(separator: "  ")
        }
        return (table + notes).joined(separator: "\n")
    }

    private func row(_ name: String, _ seconds: [Double]) -> [String] {
        let spread = Spread(seconds), share = mean(total) > 0 ? 100 * mean(seconds) / mean(total) : 0
        return [
            name, significant(spread.least), significant(mean(seconds)), significant(spread.most),
            "\(significant(share)) %",
        ]
    }

    // MARK: Notes

    /// What stands out, with its number and the key that helps.
    package var notes: [String] {
        var notes: [String] = []
        let waiting = share(.statistics) + share(.gradients)
        if let slow = slowest, waiting > 0.03 {
            notes.append(
                "\(percent(waiting)) of the time ranks waited for others or for the network; \(slow.name) computes "
                    + "\(percent(slow.excess)) slower than the middle rank: look for other programs or throttling there, or "
                    + "leave the host out")
        } else if waiting > 0.1 {
            notes.append(
                "\(percent(waiting)) of the time went into messages, and no rank is slower than the others: a larger "
                    + "batch.global, parallel.wire: bfloat16 or a core for parallel.communication helps")
        }
        if share(.data) > 0.03 {
            let loading = percent(share(.data))
            notes.append(
                loadsBetweenSteps
                    ? "pictures were loaded between steps for \(loading) of the time: give ranks more cores and set "
                        + "data.workers, or take smaller pictures"
                    : "the loader held steps up for \(loading) of the time: raise data.workers")
        }
        if share(.checkpoints) > 0.02 {
            notes.append(
                "checkpoints took \(percent(share(.checkpoints))) of the time: raise checkpoint.everySteps, or put "
                    + "run.directory on a faster disk")
        }
        if share(.evaluation) > 0.2 {
            notes.append(
                "evaluation took \(percent(share(.evaluation))) of the time: raise evaluation.everyEpochs")
        }
        return notes
    }

    private func percent(_ share: Double) -> String { "\(significant(100 * share)) %" }

    /// The rank that computes longest, if by a twentieth longer than the middle one.
    private var slowest: (name: String, excess: Double)? {
        let computing = total.indices.map { rank in
            parts.filter { [Self.names[.forward], Self.names[.backward], Self.names[.optimizer]].contains($0.name) }
                .reduce(0) { $0 + $1.seconds[rank] }
        }
        let middle = Spread(computing).middle
        guard total.count > 1, middle > 0, let rank = computing.indices.max(by: { computing[$0] < computing[$1] })
        else {
            return nil
        }
        let excess = computing[rank] / middle - 1
        return excess > 0.05 ? ("rank \(rank) (\(hosts[rank]))", excess) : nil
    }
}
