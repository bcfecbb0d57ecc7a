package import DataParallel
import MessagePassing

/// The hosts that a sum goes over, and how they are joined.
package struct HostNetwork: Sendable, Equatable {
    package var hosts: Int
    package var ranksPerHost: Int
    /// Between hosts; the ranks of a host share it.
    package var network: NetworkLink
    /// Between ranks of one host.
    package var withinHost: NetworkLink
    /// Bytes that a rank adds to others in a second.
    package var sumBytesPerSecond: Double

    package init(
        hosts: Int, ranksPerHost: Int = 1, network: NetworkLink,
        withinHost: NetworkLink = usualWithinHost, sumBytesPerSecond: Double = .infinity
    ) {
        (self.hosts, self.ranksPerHost) = (hosts, ranksPerHost)
        (self.network, self.withinHost, self.sumBytesPerSecond) = (network, withinHost, sumBytesPerSecond)
    }

    package var ranks: Int { hosts * ranksPerHost }

    /// Shared memory where nobody measured it.
    package static let usualWithinHost = NetworkLink(latency: 1e-6, bandwidth: 5e9)
}

/// What a sum over all ranks takes, by the algorithms that MPI libraries have.
///
/// Costs are those of Thakur, Rabenseifner and Gropp (2005), "Optimization of Collective Communication Operations in
/// MPICH", section 4.5: a latency for each message, a time for each byte sent and one for each byte added. Ranks are
/// numbered host by host, so that the nearest exchange within one; what leaves a host shares its link.
package enum AllReduce: String, Sendable, CaseIterable {
    /// Everything to a partner, in ⌈lg p⌉ rounds: the fewest messages.
    case recursiveDoubling = "recursive doubling"
    /// Rabenseifner's: halves are exchanged and added, then gathered: the fewest bytes, 2 lg p messages.
    case halving = "halving and doubling"
    /// 2 (p − 1) messages of one part each, to the next rank.
    case ring
    /// Within hosts first, then one rank of each host.
    case hierarchical

    /// Seconds.
    package func seconds(bytes: Double, over hosts: HostNetwork) -> Double {
        guard hosts.ranks > 1 else { return 0 }
        let (h, r, p) = (hosts.hosts, hosts.ranksPerHost, hosts.ranks)
        let (far, near) = (hosts.network, hosts.withinHost), addition = bytes / hosts.sumBytesPerSecond
        switch self {
        case .recursiveDoubling:
            let within = Self.rounds(r), between = Self.rounds(h)
            return within * near.seconds(bytes: bytes) + between * far.seconds(bytes: bytes * Double(r))
                + (within + between) * addition
        case .halving:
            // Parts are an r-th once they leave the host, and r of them share its link.
            let surplus = Self.surplus(r) * near.seconds(bytes: bytes) + Self.surplus(h) * far.seconds(bytes: bytes)
            return 2 * Self.doublings(r) * near.latency + 2 * Self.moved(r) * bytes / near.bandwidth
                + 2 * Self.doublings(h) * far.latency + 2 * Self.moved(h) * bytes / far.bandwidth
                + Self.moved(p) * addition + surplus
        case .ring:
            let messages = 2 * Double(p - 1), part = bytes / Double(p)
            let slowest = h > 1 ? far.seconds(bytes: part) : near.seconds(bytes: part)
            return messages * slowest + Self.moved(p) * addition
        case .hierarchical:
            let within = HostNetwork(
                hosts: 1, ranksPerHost: r, network: far, withinHost: near, sumBytesPerSecond: hosts.sumBytesPerSecond)
            let between = HostNetwork(
                hosts: h, ranksPerHost: 1, network: far, withinHost: near, sumBytesPerSecond: hosts.sumBytesPerSecond)
            // A reduction and a broadcast within are what an all-reduce of both halves is.
            return Self.fastestFlat(bytes: bytes, over: within) + Self.fastestFlat(bytes: bytes, over: between)
        }
    }

    /// The least seconds of algorithms that know nothing of hosts: an MPI library that chooses well.
    package static func fastestFlat(bytes: Double, over hosts: HostNetwork) -> Double {
        [recursiveDoubling, halving, ring].map { $0.seconds(bytes: bytes, over: hosts) }.min()!
    }

    /// A bucket of gradients, float32 here, on its wire: around our ring, or as MPI does it.
    package static func gradientSeconds(
        bytes: Double, wire: GradientReducer.Wire, over hosts: HostNetwork
    ) -> Double {
        switch wire {
        case .float32:
            return goesAroundARing(bytes: bytes, over: hosts)
                ? ring.seconds(bytes: bytes, over: hosts) : fastestFlat(bytes: bytes, over: hosts)
        case .bfloat16:
            // Each rank sends each its part, adds, and all gather: see HalvedSum. Its r ranks share a host's link.
            let p = Double(hosts.ranks), link = hosts.hosts > 1 ? hosts.network : hosts.withinHost
            guard p > 1 else { return 0 }
            let part = bytes / 2 / p, sharing = hosts.hosts > 1 ? Double(hosts.ranksPerHost) : 1
            return (p - 1) * (link.seconds(bytes: part * sharing) + link.seconds(bytes: part))
                + moved(hosts.ranks) * bytes / hosts.sumBytesPerSecond
        }
    }

    static func goesAroundARing(bytes: Double, over hosts: HostNetwork) -> Bool {
        Communicator.goesAroundARing(bytes: Int(bytes), ranks: hosts.ranks)
    }

    /// Rounds in which all of `ranks` have everything; those past a power of two hand in before and receive behind.
    package static func rounds(_ ranks: Int) -> Double { doublings(ranks) + surplus(ranks) }

    private static func doublings(_ ranks: Int) -> Double {
        Double(Int.bitWidth - 1 - max(ranks, 1).leadingZeroBitCount)
    }

    private static func surplus(_ ranks: Int) -> Double { ranks & (ranks - 1) == 0 ? 0 : 2 }

    /// The share of a message that a rank sends when all halve it, or pass it round.
    static func moved(_ ranks: Int) -> Double { Double(ranks - 1) / Double(ranks) }
}
