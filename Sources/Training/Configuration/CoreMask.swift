import Files
import Glibc
import Learning
import SystemPackage

/// The logical processors that one rank may run on.
package struct CoreMask: Sendable, Equatable {
    /// Numbers of the processors, ascending.
    package let cores: [Int]
    /// Processors' worth of time that a control group (a container, say) grants all ranks in it, nil without a limit.
    package let quota: Double?
    /// The control group of the quota.
    package let group: String

    package init(cores: [Int], quota: Double? = nil, group: String = "") {
        precondition(!cores.isEmpty, "a rank without cores")
        self.cores = cores.sorted()
        self.quota = quota
        self.group = group
    }

    /// What this process may use: its affinity mask (as mpirun or Slurm bound it) and its control groups' limit.
    package static func ofThisProcess(_ limits: ControlGroupLimits = .ofThisProcess()) -> CoreMask {
        let cores = cores(of: "self"), online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return CoreMask(
            cores: cores.isEmpty ? Array(0..<online) : cores, quota: limits.processors?.amount,
            group: limits.processors?.group ?? "")
    }

    /// What the process that started this one may use, as mpirun's daemon, which it may have bound this one within.
    static func coresOfStarter() -> [Int] { cores(of: "\(getppid())") }

    /// For the first host whose ranks together have half of what their starters have, or less; nil where there is none.
    ///
    /// - Parameters: by rank: its host's name, its cores, and its starter's.
    package static func bindingWarning(hosts: [String], cores: [[Int]], starters: [[Int]]) -> String? {
        var seen: Set<String> = []
        for host in hosts where seen.insert(host).inserted {
            let ranks = hosts.indices.filter { hosts[$0] == host }
            let used = Set(ranks.flatMap { cores[$0] }).count, there = Set(ranks.flatMap { starters[$0] }).count
            guard used * 2 <= there else { continue }
            let bound = ranks.count == 1 ? "is bound" : "are bound"
            return "\(counted(ranks.count, "rank")) of \(host) \(bound) to \(used) of \(there) cores: start mpirun "
                + "with --bind-to none (srun with --cpus-per-task=N), or ranks on more of them"
        }
        return nil
    }

    /// The mask of sched_getaffinity as the kernel prints it; none where /proc is missing.
    private static func cores(of process: String) -> [Int] {
        let status = (try? WholeFile.text(of: FilePath("/proc/\(process)/status"))) ?? ""
        let list = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        return list.map { processors(in: $0.dropFirst("Cpus_allowed_list:".count)) } ?? []
    }

    /// The numbers in a list such as "0-3,8".
    private static func processors(in list: Substring) -> [Int] {
        list.filter { !$0.isWhitespace }.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last else { return [] }
            return Array(first...last)
        }
    }
}
