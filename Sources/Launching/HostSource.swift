import Files
package import SystemPackage

/// Where the list of hosts comes from: a file, or a scheduler's own list.
package enum HostSource: Sendable, Equatable {
    case file(FilePath)
    case slurm(nodes: String, slots: Int?)
    case pbs(FilePath)
    /// Open MPI's default host file, in which the MPI operator for Kubernetes and cluster/run name their hosts.
    case openMPI(FilePath)
    case thisMachine

    private static let variables = [
        "PBS_NODEFILE", "OMPI_MCA_orte_default_hostfile", "PRTE_MCA_prte_default_hostfile",
    ]

    /// - Parameter file: what the command line says; it goes before any scheduler.
    package init(file: FilePath?, environment: [String: String]) throws {
        func path(_ name: String) -> FilePath? {
            environment[name].flatMap { $0.isEmpty ? nil : FilePath(text: $0) }.flatMap {
                FileSystem.exists($0) ? $0 : nil
            }
        }
        if let file {
            self = .file(file)
        } else if environment["SLURM_JOB_ID"] != nil, let nodes = environment["SLURM_JOB_NODELIST"] {
            self = .slurm(nodes: nodes, slots: environment["SLURM_NTASKS_PER_NODE"].flatMap { Int($0) })
        } else if let path = path("PBS_NODEFILE") {
            self = .pbs(path)
        } else if let path = path("OMPI_MCA_orte_default_hostfile") ?? path("PRTE_MCA_prte_default_hostfile") {
            self = .openMPI(path)
        } else if let (name, value) = Self.variables.lazy.compactMap({ name in
            environment[name].flatMap { $0.isEmpty ? nil : (name, $0) }
        }).first {
            throw LaunchError(
                .usage,
                "\(name) names \(shownText(value)), which is not there: is it to be seen in this container? Name a file with "
                    + "--hosts, or unset \(name) to train on this machine alone")
        } else {
            self = .thisMachine
        }
    }

    package var isSlurm: Bool { if case .slurm = self { true } else { false } }

    /// The hosts, in the list's order.
    package func hosts() async throws -> [ListedHost] {
        let hosts =
            switch self {
            case .file(let path), .openMPI(let path): try Self.read(path)
            case .pbs(let path):
                // A line for each rank.
                try Self.read(path).map { ListedHost(name: $0.name, slots: $0.slots ?? 1) }
            case .slurm(let nodes, let slots): try await Self.slurmHosts(nodes, slots)
            case .thisMachine: [ListedHost(name: "localhost")]
            }
        guard !hosts.isEmpty else { throw LaunchError(.unavailable, "no hosts in \(name)") }
        return hosts
    }

    private var name: String {
        switch self {
        case .file(let path), .pbs(let path), .openMPI(let path): path.shown
        case .slurm(let nodes, _): "Slurm's list \(nodes)"
        case .thisMachine: "this machine"
        }
    }

    private static func read(_ path: FilePath) throws -> [ListedHost] {
        do {
            return try HostList.parse(
                try WholeFile.text(of: path, limit: 1 << 24), source: path.lastComponent?.shown ?? path.shown)
        } catch let error as FileError {
            throw LaunchError(.usage, "the host file cannot be read: \(error)")
        }
    }

    private static func slurmHosts(_ nodes: String, _ slots: Int?) async throws -> [ListedHost] {
        let answer = await Command.run(["scontrol", "show", "hostnames", nodes], seconds: 60)
        guard answer.status == 0 else {
            throw LaunchError(.unavailable, "Slurm does not tell its hosts: \(answer.lastWords)")
        }
        return try HostList.parse(answer.output, source: "Slurm's list").map { ListedHost(name: $0.name, slots: slots) }
    }
}
