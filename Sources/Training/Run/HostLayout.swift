import Files
import Glibc
import Learning
import MessagePassing

/// Which ranks share this host, and what each may use of it.
struct HostLayout {
    /// This rank's number among the ranks of its host.
    let rank: Int
    /// The cores of each rank on this host, in their order.
    let masks: [CoreMask]
    /// Bytes of memory for each rank, the least of all hosts, so that all ranks plan alike.
    let memoryPerRank: Int
    /// The control group, and its host, that allows no more memory; nil where a host has no more.
    let memoryGroup: String?
    /// The control group that limits this process's time on its cores; nil without a limit.
    let quota: ControlGroupLimits.Limit<Double>?
    /// Says where the ranks of a host have half of its cores or less, for want of an option.
    let bindingWarning: String?

    /// Collective.
    init(_ runtime: MPIRuntime) throws {
        let world = runtime.world
        let names = try world.allGather(runtime.hostName)
        let here = names.indices.filter { names[$0] == runtime.hostName }
        rank = here.firstIndex(of: world.rank)!
        let limits = ControlGroupLimits.ofThisProcess()
        quota = limits.processors
        let own = CoreMask.ofThisProcess(limits)
        let cores = try world.allGather(own.cores), quotas = try world.allGather([own.quota ?? .infinity])
        let groups = try world.allGather(own.group)
        bindingWarning = CoreMask.bindingWarning(
            hosts: names, cores: cores, starters: try world.allGather(CoreMask.coresOfStarter()))
        masks = here.map { rank in
            let quota = quotas[rank][0]
            return CoreMask(cores: cores[rank], quota: quota.isFinite ? quota : nil, group: groups[rank])
        }
        let memoryGroups = try world.allGather(limits.memory?.group ?? "")
        let sharing = here.count { memoryGroups[$0] == memoryGroups[world.rank] }
        let shares = try world.allGather([
            PhysicalMemory.byteCount / here.count, limits.memory.map { $0.amount / sharing } ?? .max,
        ])
        let least = shares.indices.min { shares[$0].min()! < shares[$1].min()! }!
        memoryPerRank = shares[least].min()!
        memoryGroup = shares[least][1] < shares[least][0] ? "\(shownText(memoryGroups[least])) on \(names[least])" : nil
    }

    /// What each rank may use, and who says so.
    var memorySummary: String {
        "\(gibibytes(memoryPerRank)) of memory for each rank"
            + (memoryGroup.map { ", as much as control group \($0) allows" } ?? "")
    }

    /// A warning where training takes more memory than a rank may use.
    func memoryWarning(_ bytes: Int) -> String? {
        guard bytes > memoryPerRank else { return nil }
        return
            "training takes about \(gibibytes(bytes)) on each rank, and there are \(memorySummary): the system may end it; "
            + "lower batch.microBatch or data.imageSize, or start fewer ranks on each host"
    }

    /// The most memory that this process has had resident.
    static var peakResidentBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }
}

private func gibibytes(_ bytes: Int) -> String { "\(significant(Double(bytes) / 0x1p30)) GiB" }
