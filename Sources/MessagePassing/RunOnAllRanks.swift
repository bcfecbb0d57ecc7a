import Glibc

/// Runs `body` between MPI's start and end; an error thrown on any rank ends every rank at once.
///
/// The rank that fails says why in one line on standard error (`pixpro: error: rank 3 (node17): …`) and aborts the job,
/// so that no other rank waits for it; of a `SharedError` only rank zero speaks. The exit status is
/// then `errorExitStatus`.
package func runOnAllRanks(program: String = "pixpro", _ body: (MPIRuntime) throws -> Void) {
    let runtime: MPIRuntime
    do {
        runtime = try MPIRuntime.start(program: program)
    } catch let error as SeparateWorldsError {
        // All have the same to say: one speaks, and the others stay until it has, as launchers end all when one leaves.
        if ProcessStarter.ofThisProcess.rank == 0 {
            StandardError.write(line: "\(program): error: \(error)")
        } else {
            sleep(2)
        }
        exit(errorExitStatus)
    } catch {
        StandardError.write(line: "\(program): error: cannot start MPI: \(error)")
        exit(errorExitStatus)
    }
    do {
        try body(runtime)
        try runtime.finish()
    } catch {
        end(runtime, program: program, after: error)
    }
}

private func end(_ runtime: MPIRuntime, program: String, after error: any Error) -> Never {
    let world = runtime.world
    runtime.watchdog.begin(.abort)
    if world.size == 1 {
        StandardError.write(line: "\(program): error: \(error)")
        exit(errorExitStatus)
    }
    if error is any SharedError {
        // Everyone has the same error: rank zero reports it and ends the others, which leave by themselves should it not.
        if world.isRoot { StandardError.write(line: "\(program): error: \(error)") } else { sleep(5) }
    } else {
        StandardError.write(line: "\(program): error: rank \(world.rank) (\(runtime.hostName)): \(error)")
    }
    runtime.watchdog.noteEnd(status: errorExitStatus)
    runtime.abort(status: errorExitStatus)
}
