import Glibc

/// What started this process, by the variables that it left, before MPI is asked.
package struct ProcessStarter: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// mpirun of this release of Open MPI.
        case openMPI(MPIRelease)
        /// The launcher of MPICH and Intel MPI.
        case hydra(MPIRelease)
        /// Slurm's srun, with what its `--mpi` offers: `pmix`, `pmi2`, or nothing.
        case slurm(offer: String?)
        /// A launcher of which only the number of processes is known.
        case other
        /// A person, or a script.
        case none
    }

    package let kind: Kind
    /// How many processes it started together.
    package let processes: Int
    /// This one's number among them.
    package let rank: Int

    /// Reads an environment; the innermost launcher counts: mpirun reaches hosts by srun and hands on what that set.
    package init(_ environment: [String: String]) {
        func number(_ names: String...) -> Int? { names.lazy.compactMap { environment[$0].flatMap { Int($0) } }.first }
        if let size = number("OMPI_COMM_WORLD_SIZE") {
            // Since 5 it says which it is.
            let version = environment["OMPI_VERSION"] ?? (environment["PRTE_LAUNCHED"] != nil ? "5" : "4")
            self.init(.openMPI(MPIRelease(.openMPI, version)), size, number("OMPI_COMM_WORLD_RANK", "PMIX_RANK"))
        } else if let size = number("PMI_SIZE", "MPI_LOCALNRANKS"), environment["MPI_LOCALNRANKS"] != nil {
            let isIntel = environment.keys.contains { $0.hasPrefix("I_MPI_HYDRA") }
            self.init(.hydra(MPIRelease(isIntel ? .intel : .mpich)), size, number("PMI_RANK", "MPI_LOCALRANKID"))
        } else if let size = number("SLURM_STEP_NUM_TASKS") {
            // A batch script and the shell of an allocation are no step of several tasks, whatever the job has.
            let offer =
                environment["PMIX_NAMESPACE"] != nil ? "pmix" : environment["PMI_FD"] != nil ? "pmi2" : nil
            self.init(.slurm(offer: offer), size, number("SLURM_PROCID"))
        } else if let size = number("PMI_SIZE") {
            self.init(.other, size, number("PMIX_RANK", "PMI_RANK"))
        } else {
            self.init(.none, 1, 0)
        }
    }

    private init(_ kind: Kind, _ processes: Int, _ rank: Int?) {
        (self.kind, self.processes, self.rank) = (kind, max(1, processes), rank ?? 0)
    }

    package static let ofThisProcess = ProcessStarter(
        Dictionary(
            uniqueKeysWithValues: [
                "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_VERSION", "PRTE_LAUNCHED", "PMIX_RANK",
                "PMIX_NAMESPACE", "PMI_SIZE", "PMI_RANK", "PMI_FD", "MPI_LOCALNRANKS", "MPI_LOCALRANKID",
                "I_MPI_HYDRA_TOPOLIB", "I_MPI_HYDRA_BOOTSTRAP", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID",
            ].compactMap { name in getenv(name).map { (name, String(cString: $0)) } }))

    /// For people.
    package var name: String {
        switch kind {
        case .openMPI(let release): "\(release)'s mpirun"
        case .hydra(let release): "\(release)'s mpirun"
        case .slurm(let offer): offer.map { "srun with \($0)" } ?? "srun without PMIx"
        case .other: "a launcher that offers PMI"
        case .none: "no launcher"
        }
    }

    /// Why this process is alone though others were started with it, and what to do; nil where all is well.
    ///
    /// Each such process would train the whole run, all in one directory.
    ///
    /// - Parameter worldSize: ranks that MPI knows; 1 where it did not start.
    package func separation(worldSize: Int, library: MPILibrary) -> String? {
        guard worldSize == 1, processes > 1 else { return nil }
        let fact =
            "\(name) started \(processes) processes together, but \(library.name) does not join them into one job: each is "
            + "alone"
        switch kind {
        case .openMPI(let release):
            return fact
                + ": mpirun and the library must be of one \(release.maker.rawValue); put the mpirun first on the "
                + "PATH that belongs to the library, or the library that belongs to the mpirun on LD_LIBRARY_PATH "
                + "(`module load` does both)"
        case .hydra(let release):
            return fact
                + ": start it by the mpirun that belongs to the library (`module load`; `mpirun --version` tells "
                + "whose it is), or build it with this MPI: \(release.maker.buildCommand)"
        case .slurm:
            return fact
                + ": start it by `srun --mpi=pmix` (`srun --mpi=list` tells whether this Slurm has it; with an "
                + "older one --mpi=pmi2, if Open MPI is built for that), or by launch/train or mpirun within the allocation; runs that shall be "
                + "separate start by `srun --ntasks=1` each"
        case .other, .none: return fact + ": start it by the library's own mpirun, or by `srun --mpi=pmix`"
        }
    }
}
