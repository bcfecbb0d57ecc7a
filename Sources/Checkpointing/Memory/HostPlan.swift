import MessagePassing

/// Which ranks share a host, and on which host the copies of a rank's shard are kept: on the next one.
package struct HostPlan: Sendable, Equatable {
    /// The ranks of each host, hosts in the order of their first ranks.
    package let ranks: [[Int]]
    /// By rank.
    private let hosts: [Int]

    /// - Parameter names: of the ranks' hosts, by rank.
    package init(names: [String]) {
        var ranks: [[Int]] = [], hosts: [Int] = [], numbers: [String: Int] = [:]
        for (rank, name) in names.enumerated() {
            let host = numbers[name] ?? ranks.count
            if host == ranks.count { ranks.append([]) }
            numbers[name] = host
            ranks[host].append(rank)
            hosts.append(host)
        }
        (self.ranks, self.hosts) = (ranks, hosts)
    }

    /// Of the hosts that keep checkpoints in such stores. Several that see one folder, as containers of one machine may, are
    /// one host: they would lose it together. Collective.
    init(_ store: MemoryStore, over communicator: any Collective) throws {
        self.init(names: try communicator.allGather(store.memoryIdentity ?? communicator.hostName))
    }

    package func host(of rank: Int) -> Int { hosts[rank] }

    /// The ranks that share a rank's host.
    func neighbours(of rank: Int) -> [Int] { ranks[hosts[rank]] }

    /// The first rank of a host does what is done once there.
    func isFirst(_ rank: Int) -> Bool { neighbours(of: rank)[0] == rank }

    /// The rank on the next host that keeps a copy of a rank's shard; nil where there is one host only.
    package func keeper(of rank: Int) -> Int? {
        guard ranks.count > 1 else { return nil }
        let next = ranks[(hosts[rank] + 1) % ranks.count], place = ranks[hosts[rank]].firstIndex(of: rank)!
        return next[place % next.count]
    }

    /// The ranks whose copies a rank keeps.
    package func wards(of rank: Int) -> [Int] { hosts.indices.filter { keeper(of: $0) == rank } }

    /// The numbers of the shards that a host holds: those of its own ranks, and the copies.
    func shards(on host: Int) -> [Int] {
        hosts.indices.filter { hosts[$0] == host || keeper(of: $0).map { hosts[$0] } == host }
    }
}
