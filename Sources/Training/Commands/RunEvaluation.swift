import Checkpointing
import Files
import ImagePipeline
package import Learning
package import MessagePassing
package import Settings
package import SystemPackage
import TensorCore

/// Scores a checkpoint of a run after training: the command `pixpro evaluate`.
package final class RunEvaluation<Task: TrainingTask> {
    private let evaluator: any TaskEvaluator
    private let console: Console?
    private let watchdog: Watchdog

    /// Opens the checkpoint and finds the pictures: those of the run's own configuration, changed by `overrides`.
    /// Collective.
    package init(
        runDirectory: FilePath, step: Int?, configurationFile: FilePath?, overrides: [String],
        task: any TaskSettings.Type, runtime: MPIRuntime, makeTask: (RunConfiguration) throws -> Task
    ) throws {
        let world = runtime.world
        let reader = try WeightsExport(runDirectory: runDirectory, step: step, communicator: world).reader
        let loaded = try world.agree(on: "reading the configuration") {
            try configurationFile.map { try RunConfiguration.load(file: $0, overrides: overrides, task: task) }
                ?? RunConfiguration.parse(
                    yaml: reader.manifest.facts.configuration, name: reader.directory.shown, overrides: overrides,
                    task: task)
        }
        let configuration = loaded.configuration
        watchdog = runtime.watchdog
        watchdog.configure(
            configuration.watchdog.limits, reports: RunDirectory(runDirectory).watchdog)
        let host = try HostLayout(runtime)
        let cores = try world.agree(on: "planning threads") {
            try CorePlan(masks: host.masks, ranksInJob: world.size, configuration: configuration)
        }
        let threads = cores.ranks[host.rank]
        try world.agree(on: "starting threads") {
            try ComputeThreads.start(threads: threads.compute + threads.loader)
        }
        let task = try makeTask(configuration)
        try TrainingState(task, withOptimizers: false).load(reader)
        let index = try DataSource.index(
            configuration.data.roots.map(FilePath.init(text:)), excluding: runDirectory, runtime)
        evaluator = try task.makeEvaluator(pictures: index, communicator: world)
        console = world.isRoot ? .standardError : nil
        console?.print("scoring \(reader.directory.shown)")
    }

    /// Collective; the same report on all ranks.
    package func run() throws -> EvaluationReport {
        defer { console?.clear() }
        watchdog.begin(.evaluate)
        return try evaluator.evaluate { [console, watchdog] stage, done, total in
            watchdog.advance()
            console?.redraw("\(stage) \(done)/\(total)")
        }
    }
}
