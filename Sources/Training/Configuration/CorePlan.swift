import Learning
import Settings

/// The threads of each rank of a host, such that ranks × threads never exceeds the cores given to them.
package struct CorePlan: Sendable, Equatable {
    package struct Threads: Sendable, Equatable {
        /// Threads that share every kernel, the main thread among them.
        package var compute: Int
        /// Threads that only load images; 0 loads between steps on the compute threads.
        package var loader: Int
        /// 1 where gradients are summed on a thread of their own, 0 where the main thread does it.
        package var communication: Int

        package var total: Int { compute + loader + communication }

        package init(compute: Int, loader: Int, communication: Int) {
            (self.compute, self.loader, self.communication) = (compute, loader, communication)
        }
    }

    /// Cores given to the ranks of this host together.
    package let cores: Int
    /// The whole cores that are each rank's own part, in the order of the masks.
    package let shares: [Int]
    /// The threads of each rank, in the order of the masks.
    package let ranks: [Threads]

    package var isOversubscribed: Bool { zip(ranks, shares).contains { $0.total > $1 } }

    /// Plans the ranks of one host; every rank of it computes the same plan from the same masks.
    ///
    /// `auto` gives a rank with fewer than 8 cores only compute threads: loading and communication run inline. From 8
    /// cores on, one in eight loads images and one thread communicates, if there is another rank to talk to.
    ///
    /// - Parameters:
    ///   - masks: the cores of each rank on this host; ranks share the cores that are in several masks evenly.
    ///   - ranksInJob: ranks on all hosts.
    /// - Throws: `ConfigurationError` where the threads exceed the cores and `parallel.oversubscribe` is false.
    package init(masks: [CoreMask], ranksInJob: Int, configuration: RunConfiguration) throws {
        precondition(!masks.isEmpty && ranksInJob >= masks.count, "\(masks.count) ranks here of \(ranksInJob)")
        var users: [Int: Int] = [:]
        for mask in masks { for core in mask.cores { users[core, default: 0] += 1 } }
        let unlimited = masks.map { mask in mask.cores.reduce(0) { $0 + 1 / Double(users[$1]!) } }
        // The ranks of a control group share its quota.
        var wanted: [String: Double] = [:]
        for (mask, share) in zip(masks, unlimited) where mask.quota != nil { wanted[mask.group, default: 0] += share }
        let granted = zip(masks, unlimited).map { mask, share in
            mask.quota.map { share * min(1, $0 / wanted[mask.group]!) } ?? share
        }
        func whole(_ cores: Double) -> Int { Int((cores + 1e-6).rounded(.down)) }  // thirds must sum to one
        cores = max(1, whole(granted.reduce(0, +)))
        // A rank alone has a thread, however little of a core it may use.
        shares = granted.map { max(whole($0), masks.count == 1 ? 1 : 0) }
        ranks = shares.map { Self.threads(cores: $0, isAlone: ranksInJob == 1, configuration) }
        if isOversubscribed, !configuration.parallel.oversubscribe { throw refusal(configuration) }
    }

    private static func threads(cores: Int, isAlone: Bool, _ configuration: RunConfiguration) -> Threads {
        let isRoomy = cores >= 8
        let loader = configuration.data.workers.count ?? (isRoomy ? cores / 8 : 0)
        let communication =
            switch configuration.parallel.communication {
            case .inline: 0
            case .overlapped: isAlone ? 0 : 1
            case .auto: isRoomy && !isAlone ? 1 : 0
            }
        let compute = configuration.parallel.threads.count ?? max(1, cores - loader - communication)
        return Threads(compute: compute, loader: loader, communication: communication)
    }

    private func refusal(_ configuration: RunConfiguration) -> ConfigurationError {
        let rank = ranks.indices.first { ranks[$0].total > shares[$0] }!
        let (threads, share) = (ranks[rank], shares[rank])
        var remedies: [String] = []
        if share == 0 {
            remedies.append("start at most \(counted(cores, "rank")) on this host")
        } else {
            if configuration.parallel.threads.count != nil { remedies.append("set parallel.threads: auto") }
            if threads.loader > 0 { remedies.append("set data.workers: 0") }
            if threads.communication > 0 { remedies.append("set parallel.communication: inline") }
            remedies.append("give each rank more cores (mpirun --map-by slot:PE=\(threads.total))")
        }
        remedies.append("set parallel.oversubscribe: true to run slowly all the same")
        let wanted = counted(ranks.reduce(0) { $0 + $1.total }, "thread")
        let given = counted(cores, "core") + (cores == 1 ? " is" : " are")
        let detail =
            "rank \(rank) of the host has \(counted(share, "core")) for \(threads.compute) compute, "
            + "\(threads.loader) loader and \(threads.communication) communication threads"
        let message = "\(counted(ranks.count, "rank")) on this host want \(wanted), \(given) given: \(detail)"
        return ConfigurationError([.init("cores", message, remedy: remedies.joined(separator: "; or "))])
    }

    /// A table of the plan, one line for ranks that are alike.
    package var summary: String {
        var lines = [Self.row(["threads", "cores", "compute", "loader", "communication", "total"])]
        var first = 0
        while first < ranks.count {
            let threads = ranks[first]
            let last = (first..<ranks.count).prefix { ranks[$0] == threads && shares[$0] == shares[first] }.last!
            let name = first == last ? "rank \(first)" : "ranks \(first)-\(last) each"
            lines.append(Self.row([name] + Self.cells(shares[first], threads)))
            first = last + 1
        }
        let sum = Threads(
            compute: ranks.reduce(0) { $0 + $1.compute }, loader: ranks.reduce(0) { $0 + $1.loader },
            communication: ranks.reduce(0) { $0 + $1.communication })
        lines.append(Self.row(["host"] + Self.cells(cores, sum)))
        if isOversubscribed {
            lines.append("more threads than cores, as parallel.oversubscribe allows: expect slow steps")
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ cells: [String]) -> String {
        cells[0].padding(to: 14) + cells.dropFirst().map { $0.leadingPadding(to: 15) }.joined()
    }

    private static func cells(_ cores: Int, _ threads: Threads) -> [String] {
        [cores, threads.compute, threads.loader, threads.communication, threads.total].map(String.init)
    }
}
