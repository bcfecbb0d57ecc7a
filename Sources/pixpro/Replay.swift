import ArgumentParser
import MessagePassing
import SystemPackage
import Training

struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Does a step again whose numbers were not finite, and names the first operation that was not.",
        discussion: """
            pixpro replay runs/street/nonfinite/step-00001234
            The log names the folder. One rank does it for any number of them; where its memory is too little for a \
            micro-batch of all ranks, several share it: mpirun -n 4 pixpro replay FOLDER. \
            The exit status is 1 where everything is finite.
            """)

    @Argument(help: "A folder below nonfinite/ of a run.")
    var folder: FilePath

    func run() throws {
        var isReproduced = false
        runOnAllRanks { runtime in
            runtime.watchdog.begin(.other)
            try startComputeThreads(on: runtime)
            let replay = try StepReplay(folder: folder, tasks: tasks, communicator: runtime.world)
            isReproduced = replay.isReproduced
            if runtime.world.isRoot { print(replay.text) }
        }
        if !isReproduced { throw ExitCode(1) }
    }
}
