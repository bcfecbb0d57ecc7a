import Files
import MessagePassing
package import SystemPackage
import Training

/// Ranks, their places, and the mpirun line of one start.
package struct JobPlan: Sendable, Equatable {
    /// The hosts of the job with their ranks, none nil.
    package let hosts: [ListedHost]
    package let ranks: Int
    /// Whether each socket of each host has one rank, which keeps to it.
    package let isBySocket: Bool
    /// Ranks that the hosts could take.
    package let available: Int

    /// Plans for the hosts that are ready.
    ///
    /// - Parameters:
    ///   - perHost: ranks on every host, over what the list says.
    ///   - mostRanks: how many of so many ranks can share the global batch.
    package init(
        ready: [Preflight.Finding], perHost: Int?, mostRanks: (_ available: Int) throws -> Int
    ) rethrows {
        // Each host's own sockets: hosts differ, and the launcher may run on none of them.
        hosts = ready.map { finding in
            ListedHost(name: finding.host.name, slots: perHost ?? finding.host.slots ?? finding.facts?.sockets ?? 1)
        }
        available = hosts.reduce(0) { $0 + $1.slots! }
        ranks = try mostRanks(available)
        let areSocketsMeant = perHost == nil && ready.allSatisfy { $0.host.slots == nil && $0.facts != nil }
        isBySocket = areSocketsMeant && ranks == available
    }

    /// Open MPI's host file.
    package var hostFile: String { hosts.map { "\($0.name) slots=\($0.slots!)\n" }.joined() }

    /// Names and ranks for people: "node1 (2 ranks), node2 (2 ranks)".
    package var summary: String {
        hosts.map { "\($0.name) (\($0.slots!) rank\($0.slots == 1 ? "" : "s"))" }.joined(separator: ", ")
    }

    /// How mpirun is called.
    package struct Line: Sendable {
        package var hostFile: FilePath
        /// Reaches a host; nil where the scheduler does.
        package var agent: String?
        /// The network between hosts, as 10.0.0.0/16 or eth0.
        package var interface: String?
        package var hasLibraryPath: Bool
        /// The name by which the ranks leave notes for their launcher; nil for none.
        package var launcher: String?
        package var program: FilePath
        /// What `pixpro train` is given.
        package var arguments: [String]
        /// Of the mpirun that reads it.
        package var dialect: JobStarter.Dialect

        package init(
            hostFile: FilePath, agent: String? = nil, interface: String? = nil, hasLibraryPath: Bool = false,
            launcher: String? = nil, program: FilePath, arguments: [String], dialect: JobStarter.Dialect
        ) {
            self.dialect = dialect
            (self.hostFile, self.agent, self.interface) = (hostFile, agent, interface)
            (self.hasLibraryPath, self.launcher) = (hasLibraryPath, launcher)
            (self.program, self.arguments) = (program, arguments)
        }
    }

    /// The words of the mpirun line.
    package func words(_ line: Line) -> [String] {
        var words = ["mpirun", "--hostfile", line.hostFile.text, "-n", "\(ranks)"]
        let isFive = line.dialect == .five
        // Open MPI 5 calls a socket a package.
        let socket = isFive ? "package" : "socket"
        // One rank a socket keeps to it. Otherwise hosts take turns, so that with fewer ranks than slots each still takes
        // part, and the program shares a host's cores among its ranks by itself.
        words +=
            isBySocket
            ? ["--map-by", "ppr:1:\(socket)", "--bind-to", socket] : ["--map-by", "node", "--bind-to", "none"]
        // What concerns its daemons Open MPI 5 leaves to PRRTE, whose parameters have an option of their own.
        func daemons(_ name: String, inFive: String? = nil, _ value: String) -> [String] {
            isFive ? ["--prtemca", inFive ?? name, value] : ["--mca", name, value]
        }
        if let agent = line.agent { words += daemons("plm_rsh_agent", inFive: "plm_ssh_agent", agent) }
        if let network = line.interface {
            words += ["--mca", "btl_tcp_if_include", network]
            words += daemons("oob_tcp_if_include", inFive: "prte_if_include", network)
        }
        // A daemon that is gone is noticed within five seconds, not within minutes; kernels answer, however busy a host is.
        for (name, number) in [("time", 2), ("intvl", 1), ("probes", 3)] {
            words += daemons("oob_tcp_keepalive_\(name)", "\(number)")
        }
        // Ranks take SIGTERM for the wish to save, which a job that lost one of them cannot.
        words += daemons("odls_base_sigkill_timeout", "0")
        // One matrix thread for each of the program's own; its environment is that of the launcher.
        words += ["-x", "OMP_NUM_THREADS=1", "-x", "OPENBLAS_NUM_THREADS=1", "-x", "PATH"]
        if line.hasLibraryPath { words += ["-x", "LD_LIBRARY_PATH"] }
        if let launcher = line.launcher { words += ["-x", "\(LauncherNotes.variable)=\(launcher)"] }
        return words + [line.program.text, "train"] + line.arguments
    }
}
