import CMPI
import Glibc

/// MPI in this process: started once, before any other thread, and finished once.
///
/// A program that was not started by `mpirun` is a job of one rank.
package final class MPIRuntime: Sendable {
    /// Every rank of the job.
    package let world: Communicator
    /// The host's name as MPI knows it.
    package let hostName: String
    /// Ends the job when it no longer moves on.
    package let watchdog: Watchdog

    private init(world: Communicator, hostName: String, watchdog: Watchdog) {
        self.world = world
        self.hostName = hostName
        self.watchdog = watchdog
    }

    /// Initialises MPI for calls from several threads at once, and makes its failures errors that can be thrown.
    ///
    /// `program` is what the watchdog's messages begin with.
    package static func start(program: String = "pixpro") throws -> MPIRuntime {
        useIsolatedSingleton()
        copyOnceWhereAllowed()
        let watchdog = try Watchdog(program: program)
        var provided: Int32 = 0
        let required = Int32(cmpi_thread_multiple)
        let starter = ProcessStarter.ofThisProcess, library = MPILibrary.ofThisProcess
        // There Open MPI ends the process itself, in words that name Slurm's parts and not what to do.
        if starter.kind == .slurm(offer: nil), library.release?.maker == .openMPI,
            let reason = starter.separation(worldSize: 1, library: library)
        {
            throw SeparateWorldsError(description: reason)
        }
        try MPIError.check(MPI_Init_thread(nil, nil, required, &provided), "MPI_Init_thread", rank: -1)
        let world = try Communicator(world: cmpi_comm_world())
        guard provided >= required else {
            throw MPIStartError(
                description: "this MPI library grants thread level \(provided), but MPI_THREAD_MULTIPLE (\(required)) "
                    + "is needed; use an MPI built with thread support (Debian's libopenmpi-dev is)")
        }
        if let reason = starter.separation(worldSize: world.size, library: library) {
            throw SeparateWorldsError(description: reason)
        }
        let hostName = nameOfThisHost
        try watchdog.connect(world, hostName: hostName)
        return MPIRuntime(world: world, hostName: hostName, watchdog: watchdog)
    }

    /// Without `mpirun`, Open MPI would start a daemon for spawning further processes, which we never do.
    private static func useIsolatedSingleton() {
        if getenv("OMPI_COMM_WORLD_SIZE") == nil { setenv("OMPI_MCA_ess_singleton_isolated", "1", 0) }
    }

    /// Has ranks of one host read each other's memory, which halves the time of their sums, if the kernel allows it.
    ///
    /// Containers often forbid it, and Open MPI 4.1 then fails in the middle of a message rather than at its start.
    private static func copyOnceWhereAllowed() {
        let isAllowed = cmpi_may_read_other_processes() != 0
        setenv("OMPI_MCA_btl_vader_single_copy_mechanism", isAllowed ? "cma" : "none", 0)
        // Open MPI 5 has it elsewhere.
        if !isAllowed { setenv("OMPI_MCA_smsc", "^cma", 0) }
    }

    /// Ends MPI on all ranks together; no communicator may be used afterwards.
    package func finish() throws {
        watchdog.begin(.finish)
        try MPIError.check(MPI_Finalize(), "MPI_Finalize", rank: world.rank)
        watchdog.stop()
    }

    /// Ends every rank of the job at once, from any thread, with exit status `status`.
    package func abort(status: Int32) -> Never {
        fflush(nil)
        MPI_Abort(cmpi_comm_world(), status)
        _exit(status)
    }

    /// As MPI knows it, once it has started.
    package static var nameOfThisHost: String {
        MPIError.string(capacity: cmpi_max_processor_name) { MPI_Get_processor_name($0, $1) }
    }
}

/// MPI runs, but not as this program needs it.
package struct MPIStartError: Error, CustomStringConvertible {
    package let description: String
}

/// Processes that were started as one job, each of which is alone in MPI's world.
package struct SeparateWorldsError: Error, CustomStringConvertible {
    package let description: String
}
