import Files
package import MessagePassing

/// The mpirun by which jobs are started.
package struct JobStarter: Sendable, Equatable {
    /// Releases of Open MPI name some parameters and daemons differently: 4 and before, or 5 and later.
    package enum Dialect: Sendable, Equatable { case four, five }

    package let release: MPIRelease

    package init(_ release: MPIRelease) { self.release = release }

    package var dialect: Dialect { release.major ?? 5 >= 5 ? .five : .four }

    /// What it starts on other hosts.
    var daemon: String { dialect == .five ? "prted" : "orted" }

    /// Seconds for mpirun to say which it is.
    private static let patience = 30.0

    /// Asks the mpirun on the PATH; nil where none says which it is.
    package static func found() async -> MPIRelease? {
        let answer = await Command.run(["mpirun", "--version"], seconds: patience)
        return MPIRelease(words: answer.output + answer.errorOutput)
    }

    /// The mpirun on the PATH, if it starts programs that are built with `library`.
    package static func fitting(_ library: MPILibrary) async throws -> JobStarter {
        try JobStarter(await found(), library)
    }

    /// - Parameter found: the mpirun on the PATH; nil for none.
    /// - Throws: `LaunchError` that says why it cannot start the program, and what can.
    package init(_ found: MPIRelease?, _ library: MPILibrary) throws {
        if let maker = library.release?.maker, maker != .openMPI {
            throw LaunchError(
                .unavailable,
                "this program is built with \(library.name), and launch/train starts jobs by Open MPI's mpirun only: start "
                    + "it by that library's own, mpirun -n 2 pixpro train …, or build it with Open MPI")
        }
        guard let found else {
            throw LaunchError(
                .unavailable, "there is no mpirun of Open MPI on the PATH: install openmpi-bin, or load its module")
        }
        guard found.maker == .openMPI else {
            throw LaunchError(
                .unavailable,
                "the mpirun on the PATH is \(found)'s, and this program is built with \(library.name): put Open MPI's first "
                    + "(`module load openmpi`), or build the program with \(found.maker.rawValue) and start it by that "
                    + "mpirun: \(found.maker.buildCommand) && mpirun -n 2 .build/release/pixpro train …")
        }
        guard library.release?.fits(found) ?? true else {
            throw LaunchError(
                .unavailable,
                "the mpirun on the PATH is \(found)'s, but the program loads \(library.name): ranks would not find each "
                    + "other; put the mpirun first that belongs to the library, or its library on LD_LIBRARY_PATH "
                    + "(`module load` does both)")
        }
        self.init(found)
    }
}
