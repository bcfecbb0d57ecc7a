import Foundation
import Synchronization

/// Starts the package's programs, with and without `mpirun`, two jobs at a time so that tests do not starve each other of
/// cores; those that measure time, or stop and kill ranks, run alone.
package enum MPILauncher {
    private static let lanes = TestLanes(2)

    /// What Open MPI needs on a small machine and as root, in tests only; ranks that wait leave the cores to others.
    package static let environment = [
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_mpi_yield_when_idle": "1",
        "OPENBLAS_NUM_THREADS": "1",
    ]

    /// The path of a program of this package, built beside the tests.
    package static func product(_ name: String) throws -> String {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let candidates = [tests, URL(fileURLWithPath: CommandLine.arguments[0])].map {
            $0.deletingLastPathComponent().appendingPathComponent(name).path
        }
        guard let path = candidates.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw MissingProductError(description: "no program \(name) at \(candidates); build it before its tests")
        }
        return path
    }

    package struct MissingProductError: Error, CustomStringConvertible {
        package let description: String
    }

    /// Runs `body`, which starts ranks by itself, while no other test does.
    package static func alone(_ body: () throws -> ProcessResult) throws -> ProcessResult {
        try lanes.take(2, body)
    }

    /// Runs a program without `mpirun`.
    package static func run(
        _ product: String, _ arguments: [String], timeLimit: Double = 60
    ) throws -> ProcessResult {
        let path = try self.product(product)
        return try lanes.take(1) {
            try runProcess(path, arguments, environment: environment, timeLimit: timeLimit)
        }
    }

    /// Runs `mpirun -n ranks product arguments…` to its end or to the time limit.
    ///
    /// - Parameter isAlone: no other job runs meanwhile.
    package static func run(
        _ product: String, ranks: Int, _ arguments: [String], environment: [String: String] = [:],
        timeLimit: Double = 60, isAlone: Bool = false
    ) throws -> ProcessResult {
        let path = try self.product(product)
        return try lanes.take(isAlone ? 2 : 1) {
            try start(path, ranks: ranks, arguments, environment: environment, timeLimit: timeLimit)
        }
    }

    /// As `run`, one job for each list of arguments and two at a time: for jobs that mostly wait for mpirun.
    package static func runEach(
        _ product: String, ranks: Int, _ lists: [[String]], timeLimit: Double = 60
    ) throws -> [ProcessResult] {
        let path = try self.product(product)
        let results = Mutex<[Int: Result<ProcessResult, any Error>]>([:])
        lanes.take(2) {
            DispatchQueue.concurrentPerform(iterations: 2) { lane in
                for index in stride(from: lane, to: lists.count, by: 2) {
                    let result = Result { try start(path, ranks: ranks, lists[index], timeLimit: timeLimit) }
                    results.withLock { $0[index] = result }
                }
            }
        }
        return try results.withLock { results in try lists.indices.map { try results[$0]!.get() } }
    }

    private static func start(
        _ path: String, ranks: Int, _ arguments: [String], environment: [String: String] = [:], timeLimit: Double
    ) throws -> ProcessResult {
        try runProcess(
            "/usr/bin/env",
            [
                "mpirun", "-n", "\(ranks)", "--oversubscribe", "--bind-to", "none", "--mca",
                "odls_base_sigkill_timeout", "0", "--timeout", "\(Int(timeLimit))", path,
            ] + arguments,
            environment: Self.environment.merging(environment) { $1 }, timeLimit: timeLimit + 5)
    }
}
