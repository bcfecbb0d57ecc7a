package import MessagePassing

extension DoctorReport {
    /// What is said of MPI: where each host's library comes from, and whether what starts ranks belongs to it.
    ///
    /// - Parameters:
    ///   - libraries: of each rank's host, with its name.
    ///   - starter: what started this process.
    ///   - mpirun: the one on the PATH, where this process was started without any; nil where there is none.
    package static func findings(
        ofMPI libraries: [(host: String, library: MPILibrary)], starter: ProcessStarter, mpirun: MPIRelease?
    ) -> [Finding] {
        var kinds: [(library: MPILibrary, hosts: [String])] = []
        for (host, library) in libraries {
            if let index = kinds.firstIndex(where: { $0.library == library }) {
                if !kinds[index].hosts.contains(host) { kinds[index].hosts.append(host) }
            } else {
                kinds.append((library, [host]))
            }
        }
        var findings: [Finding] = []
        let releases = Set(kinds.map { $0.library.release?.description ?? $0.library.words })
        for (library, hosts) in kinds {
            let places =
                kinds.count == 1
                ? ""
                : " on " + hosts.prefix(8).joined(separator: ", ")
                    + (hosts.count > 8 ? " and \(hosts.count - 8) more hosts" : "")
            findings.append(Finding(.ok, "MPI", library.name + places + ", thread level multiple"))
        }
        if releases.count > 1 {
            findings.append(
                Finding(
                    .bad, "MPI", "hosts have different releases of it",
                    remedy:
                        "install one on all, or set PATH and LD_LIBRARY_PATH alike (`module load`) where shells for "
                        + "commands read it"))
        }
        if let own = kinds.first?.library { findings.append(launcherFinding(own, starter, mpirun)) }
        return findings
    }

    private static func launcherFinding(
        _ library: MPILibrary, _ starter: ProcessStarter, _ mpirun: MPIRelease?
    ) -> Finding {
        let ranks = "\(starter.processes) rank\(starter.processes == 1 ? "" : "s")"
        let launcher: MPIRelease?
        let fact: String
        switch starter.kind {
        case .openMPI(let release), .hydra(let release):
            (launcher, fact) = (release, "\(starter.name) started \(ranks)")
        case .slurm, .other: return Finding(.ok, "launcher", "\(starter.name) started \(ranks), which found each other")
        case .none:
            guard let mpirun else {
                return Finding(
                    .look, "launcher", "no mpirun on the PATH, and none started this",
                    remedy: "install openmpi-bin, or load the module of \(library.release?.description ?? "the MPI")")
            }
            (launcher, fact) = (mpirun, "started without; the mpirun on the PATH is \(mpirun)'s")
        }
        guard let launcher, let release = library.release, !release.fits(launcher) else {
            return Finding(.ok, "launcher", fact + ", which fits the library")
        }
        return Finding(
            .bad, "launcher", fact + ", and the library is \(release)",
            remedy: "put the mpirun first on the PATH that belongs to \(library.path) (`module load` does)")
    }
}
