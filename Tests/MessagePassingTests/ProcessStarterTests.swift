import MessagePassing
import Testing

@Suite struct ProcessStarterTests {
    private let library = MPILibrary(words: "Open MPI v4.1.4, package: Debian", path: "/lib/libmpi.so.40.30.4")

    private func separation(_ environment: [String: String], worldSize: Int = 1) -> String? {
        ProcessStarter(environment).separation(worldSize: worldSize, library: library)
    }

    /// As Slurm sets them for a batch script, and for a step of two tasks.
    private let batch = ["SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_NNODES": "2"]
    private func step(_ tasks: Int, rank: Int = 0) -> [String: String] {
        batch.merging(["SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "\(tasks)", "SLURM_PROCID": "\(rank)"]) { $1 }
    }

    @Test func aProcessOnItsOwnIsAJobOfOneRank() {
        #expect(separation([:]) == nil && separation(batch) == nil)
        #expect(separation(step(1)) == nil, "srun --ntasks=1, and the shell of an allocation that is a step")
        #expect(separation(["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"]) == nil)
        #expect(ProcessStarter([:]).kind == .none && ProcessStarter(batch).kind == .none)
    }

    @Test func aJobWhoseRanksFoundEachOtherIsWell() {
        #expect(separation(step(4), worldSize: 4) == nil)
        #expect(separation(["OMPI_COMM_WORLD_SIZE": "4"], worldSize: 4) == nil)
        // mpirun reaches its hosts by srun: one task each, whose variables the ranks inherit.
        let inherited = step(2).merging(["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"]) { $1 }
        #expect(separation(inherited) == nil)
    }

    @Test func srunWithoutPMIxIsRefused() throws {
        let reason = try #require(separation(step(2, rank: 1)))
        #expect(
            reason.hasPrefix(
                "srun without PMIx started 2 processes together, but Open MPI 4.1.4 (/lib/libmpi.so.40.30.4) does not"))
        #expect(reason.contains("srun --mpi=pmix"))
        #expect(ProcessStarter(step(2, rank: 1)).rank == 1)
        let pmi2 = step(2).merging(["PMI_FD": "9", "PMI_SIZE": "2", "PMI_RANK": "0"]) { $1 }
        #expect(try #require(separation(pmi2)).hasPrefix("srun with pmi2 started 2"))
        let pmix = step(2).merging(["PMIX_NAMESPACE": "slurm.pmix.7.0", "PMIX_RANK": "0"]) { $1 }
        #expect(try #require(separation(pmix)).hasPrefix("srun with pmix started 2"))
    }

    @Test func anotherMPIsLauncherIsRefused() throws {
        let hydra = ["PMI_SIZE": "3", "PMI_RANK": "2", "PMI_FD": "9", "MPI_LOCALNRANKS": "3", "MPI_LOCALRANKID": "2"]
        #expect(try #require(separation(hydra)).hasPrefix("MPICH's mpirun started 3 processes"))
        #expect(ProcessStarter(hydra).rank == 2)
        let intel = hydra.merging(["I_MPI_HYDRA_TOPOLIB": "hwloc"]) { $1 }
        #expect(try #require(separation(intel)).hasPrefix("Intel MPI's mpirun started 3 processes"))
        // Hydra reaches hosts by srun as well.
        #expect(try #require(separation(hydra.merging(step(2)) { $0.count > $1.count ? $0 : $1 })).hasPrefix("MPICH's"))
        let five = ["OMPI_COMM_WORLD_SIZE": "2", "OMPI_VERSION": "5.0.7", "PRTE_LAUNCHED": "1"]
        let reason = try #require(separation(five))
        #expect(reason.hasPrefix("Open MPI 5.0.7's mpirun started 2") && reason.contains("must be of one Open MPI"))
        #expect(try #require(separation(["PMI_SIZE": "2"])).hasPrefix("a launcher that offers PMI started 2"))
    }

    @Test func releasesAreReadFromTheirOwnWords() {
        func release(_ words: String) -> String? { MPIRelease(words: words)?.description }
        #expect(release("mpirun (Open MPI) 5.0.7\n\nReport bugs to …") == "Open MPI 5.0.7")
        #expect(release("Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4") == "Open MPI 4.1.4")
        #expect(release("HYDRA build details:\n    Version:                                 4.0.2\n") == "MPICH 4.0.2")
        #expect(release("MPICH Version:      4.0.2\nMPICH Release date: …") == "MPICH 4.0.2")
        #expect(release("Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307") == "Intel MPI 2021.9")
        #expect(release("Intel(R) MPI Library 2021.9 for Linux* OS") == "Intel MPI 2021.9")
        #expect(release("command not found") == nil)
    }

    @Test func releasesOfOneNumberBelongTogether() {
        func fits(_ library: MPIRelease, _ launcher: MPIRelease) -> Bool { library.fits(launcher) }
        #expect(fits(.init(.openMPI, "4.1.4"), .init(.openMPI, "4.0.3")))
        #expect(!fits(.init(.openMPI, "4.1.4"), .init(.openMPI, "5.0.7")))
        #expect(!fits(.init(.openMPI, "4.1.4"), .init(.mpich, "4.0.2")))
        #expect(fits(.init(.mpich, "4.0.2"), .init(.intel, "2021.9")), "they share a launcher")
    }
}
