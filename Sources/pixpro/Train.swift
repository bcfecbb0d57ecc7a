import ArgumentParser
import Learning
import MessagePassing
import SystemPackage
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Trains a backbone, or what `task` says, on folders of images; goes on from the newest checkpoint if there is one.",
        discussion: """
            mpirun -n 2 --bind-to none pixpro train --config configs/small-data.yaml --set run.directory=runs/street ~/street
            All keys:  pixpro train --keys      of other tasks: pixpro train --keys --set task=detection
            """)

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "Folders of JPEGs, PNGs, TIFFs or tar shards; replaces data.roots.")
    var images: [String] = []

    @Option(
        help: ArgumentHelp(
            "Write what each rank did in the first \(StepTrace.steps) steps as a Chrome trace (Perfetto opens it).",
            valueName: "file"))
    var trace: FilePath?

    @Flag(
        help: """
            Print every configuration key of the task (pretraining, or what --set task=… names) with its default and meaning, \
            and stop.
            """)
    var keys = false

    /// Read by this process alone.
    func loadConfiguration() throws -> LoadedConfiguration {
        try RunConfiguration.load(
            file: options.config, roots: images, overrides: options.set, tasks: tasks)
    }

    private func train(
        _ loaded: LoadedConfiguration, _ definition: some TaskDefinition, _ runtime: MPIRuntime
    ) throws -> RunEnd {
        try TrainingRun(loaded, of: definition, runtime: runtime, trace: trace).run()
    }

    func run() throws {
        if keys {
            let task = try RunConfiguration.chosenTask(file: options.config, overrides: options.set, among: tasks)
            return print(RunConfiguration.reference(of: task, among: tasks))
        }
        var end = RunEnd.finished
        var isRoot = true
        runOnAllRanks { runtime in
            isRoot = runtime.world.isRoot
            let loaded = try options.load(runtime.world, roots: images)
            end = try train(loaded, loaded.configuration.definition, runtime)
        }
        // One rank's status is the job's.
        if end == .stopped && isRoot { throw ExitCode(stoppedExitStatus) }
    }
}
