import MessagePassing
import TensorCore

// Checks that need several ranks: `mpirun -n 3 rank-checks NAME [ARGUMENT…]`. Each prints `ok NAME` from rank zero, or
// throws, which ends the job with a message and a non-zero status.

typealias Check = @Sendable (_ runtime: MPIRuntime, _ arguments: [String]) throws -> Void

let checks: [String: Check] = [
    messagePassingChecks, begunCollectiveChecks, watchdogChecks, dataParallelChecks, checkpointChecks,
    evaluationChecks, threadChecks,
].reduce(into: [:]) {
    $0.merge($1) { _, _ in preconditionFailure("two checks of one name") }
}

MatrixLibrary.prepare()
runOnAllRanks(program: "rank-checks") { runtime in
    let names = CommandLine.arguments.count > 1 ? CommandLine.arguments[1].split(separator: "+").map(String.init) : []
    guard !names.isEmpty else { throw CheckFailure("name a check: \(checks.keys.sorted().joined(separator: ", "))") }
    for name in names {
        guard let check = checks[name] else { throw CheckFailure("no check is called \(name)") }
        try check(runtime, Array(CommandLine.arguments.dropFirst(2)))
        if runtime.world.isRoot { print("ok \(name)") }
    }
}

struct CheckFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Throws unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String, line: Int = #line) throws {
    if !condition { throw CheckFailure("line \(line): \(message())") }
}
