import Glibc

/// The IPv4 addresses of this host under which the ranks of a job reach it.
package struct HostAddresses: Sendable {
    /// An address and the interface that has it.
    package struct Interface: Sendable, Equatable {
        let name: String
        let address: String

        package init(name: String, address: String) { (self.name, self.address) = (name, address) }

        var isLoopback: Bool { address.hasPrefix("127.") }
    }

    /// In the order in which to try them.
    package let addresses: [String]
    /// Whether these are the only ones to listen at; otherwise they are some of all that there are.
    package let isExclusive: Bool

    /// - Parameters:
    ///   - interfaces: of this host.
    ///   - ranksAreHere: whether all ranks run on this host: then nobody else is to reach it.
    ///   - networks: what MPI is told to use between hosts, names of interfaces and networks such as `10.0.0.0/16`; nil
    ///     where it is told nothing, and uses all.
    package init(_ interfaces: [Interface], ranksAreHere: Bool, networks: String?) {
        let chosen = networks.map { list in
            let wanted = list.split(separator: ",").map(String.init)
            return interfaces.filter { interface in wanted.contains { Self.holds($0, interface) } }
        }
        if ranksAreHere {
            (addresses, isExclusive) = (["127.0.0.1"], true)
        } else if let chosen, !chosen.isEmpty {
            (addresses, isExclusive) = (chosen.map(\.address), true)
        } else {
            // The loopback reaches whoever runs beside.
            addresses = interfaces.filter { !$0.isLoopback }.map(\.address) + ["127.0.0.1"]
            isExclusive = false
        }
    }

    /// Of this host in this job: Open MPI passes its settings on to every process.
    static func ofThisHost(ranksAreHere: Bool) -> HostAddresses {
        let names = ["OMPI_MCA_btl_tcp_if_include", "OMPI_MCA_oob_tcp_if_include"]
        let networks = names.lazy.compactMap { getenv($0).map { String(cString: $0) } }.first { !$0.isEmpty }
        return HostAddresses(interfaces(), ranksAreHere: ranksAreHere, networks: networks)
    }

    /// Whether an interface is `wanted` by its name or by the network that its address lies in.
    private static func holds(_ wanted: String, _ interface: Interface) -> Bool {
        let parts = wanted.split(separator: "/", maxSplits: 1).map(String.init)
        guard let network = number(parts[0]) else { return wanted == interface.name }
        guard let bits = parts.count == 2 ? Int(parts[1]) : 32, (0...32).contains(bits),
            let address = number(interface.address)
        else { return false }
        return UInt64(network ^ address) >> UInt64(32 - bits) == 0
    }

    /// An address as a number; nil where it is none.
    private static func number(_ address: String) -> UInt32? {
        var parsed = in_addr()
        return inet_pton(AF_INET, address, &parsed) == 1 ? UInt32(bigEndian: parsed.s_addr) : nil
    }

    private static func interfaces() -> [Interface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var interfaces: [Interface] = [], next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            guard let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET),
                entry.pointee.ifa_flags & UInt32(IFF_UP) != 0
            else { continue }
            var text = [CChar](repeating: 0, count: 64)
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                var number = $0.pointee.sin_addr
                inet_ntop(AF_INET, &number, &text, 64)
            }
            interfaces.append(
                Interface(
                    name: String(cString: entry.pointee.ifa_name),
                    address: text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }))
        }
        return interfaces
    }
}
