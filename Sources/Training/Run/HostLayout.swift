import MessagePassing

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Which ranks share this host, and what each may use of it.
struct HostLayout {
    /// This rank's number among the ranks of its host.
    let rank: Int
    /// The cores of each rank on this host, in their order.
    let masks: [CoreMask]
    /// Bytes of memory for each rank, the least of all hosts, so that all ranks plan alike.
    let memoryPerRank: Int

    /// Collective.
    init(_ runtime: MPIRuntime) throws {
        let world = runtime.world
        let names = try world.allGather(runtime.hostName)
        let here = names.indices.filter { names[$0] == runtime.hostName }
        rank = here.firstIndex(of: world.rank)!
        let own = CoreMask.ofThisProcess()
        // Numbers of the cores, and last the container's limit in thousandths of a core (0 for none).
        let all = try world.allGather(own.cores.map(Int64.init) + [Int64((own.quota ?? 0) * 1000)])
        masks = here.map { rank in
            CoreMask(
                cores: all[rank].dropLast().map(Int.init),
                quota: all[rank].last! > 0 ? Double(all[rank].last!) / 1000 : nil)
        }
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        memoryPerRank = Int(try world.minimum([Int64(physical / here.count)])[0])
    }

    /// The most memory that this process has had resident.
    static var peakResidentBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}
