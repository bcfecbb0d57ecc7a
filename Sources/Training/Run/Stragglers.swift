import Learning

/// How one kind of time is spread over ranks.
package struct Spread: Sendable, Equatable {
    package var least = 0.0
    package var middle = 0.0
    package var most = 0.0

    package init(_ values: [Double]) {
        guard !values.isEmpty else { return }
        let sorted = values.sorted()
        least = sorted[0]
        middle = (sorted[sorted.count / 2] + sorted[(sorted.count - 1) / 2]) / 2
        most = sorted[sorted.count - 1]
    }

    /// "0.81/0.84/1.20"
    var text: String { "\(significant(least))/\(significant(middle))/\(significant(most))" }
}

/// Every rank's times of one step, and who was slowest.
package struct RankTimes: Sendable {
    package let compute: Spread
    let data: Spread
    let waiting: Spread
    /// The rank that others wait for: most time spent on computing and loading.
    package let slowest: Int
    /// How much longer than the middle rank it was busy; 1 for no longer.
    let slowestRatio: Double

    package init(_ ranks: [StepTimes]) {
        compute = Spread(ranks.map(\.compute))
        data = Spread(ranks.map(\.data))
        waiting = Spread(ranks.map(\.communication))
        let busy = ranks.map { $0.compute + $0.data }
        slowest = busy.indices.max { busy[$0] < busy[$1] } ?? 0
        let middle = Spread(busy).middle
        slowestRatio = middle > 0 ? busy[slowest] / middle : 1
    }
}

/// Notices a rank that is slower than the others for many steps.
package struct StragglerWatch {
    private let hosts: [String]
    private var suspect = -1
    private var steps = 0
    private var named: Set<Int> = []

    /// Slower than the middle rank by this factor, for so many steps in a row.
    static let ratio = 1.3
    package static let patience = 20

    package init(hosts: [String]) { self.hosts = hosts }

    func name(_ rank: Int) -> String { "rank \(rank) (\(hosts[rank]))" }

    /// A warning the first time that a rank proves slow, else nil.
    package mutating func add(_ times: RankTimes) -> String? {
        let isSlow = times.slowestRatio > Self.ratio && hosts.count > 1
        steps = isSlow && times.slowest == suspect ? steps + 1 : isSlow ? 1 : 0
        suspect = times.slowest
        guard steps >= Self.patience, named.insert(suspect).inserted else { return nil }
        return "\(name(suspect)) is slow: \(significant(times.slowestRatio)) times as long busy as the middle rank, "
            + "\(Self.patience) steps in a row, and all wait for it; look for other programs, throttling or a slow disk "
            + "there, or leave the host out"
    }
}
