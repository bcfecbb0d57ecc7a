import Checkpointing
import Files
import ImagePipeline
package import Learning
package import MessagePassing
package import Settings
package import SystemPackage
import TensorCore

/// Scores a checkpoint of a run after training: the command `pixpro evaluate`.
package final class RunEvaluation {
    private let evaluator: any TaskEvaluator
    private let facts: CheckpointFacts
    private let console: Console?
    private let watchdog: Watchdog
    /// Whether scores are those that the run had, of the same pictures in the same way.
    private let isOfRun: Bool

    /// Opens the checkpoint and finds the pictures: those of the run's own configuration, changed by `overrides`.
    /// Collective.
    package init(
        runDirectory: FilePath, step: Int?, configurationFile: FilePath?, overrides: [String],
        tasks: [any TaskSettings.Type], runtime: MPIRuntime
    ) throws {
        let world = runtime.world, checks = try StartChecks(runtime)
        try checks.verifyProgram()
        let reader = try WeightsExport(runDirectory: runDirectory, step: step, communicator: world).reader
        let loaded = try world.agree(on: "reading the configuration") {
            try configurationFile.map { try RunConfiguration.load(file: $0, overrides: overrides, tasks: tasks) }
                ?? RunConfiguration.parse(
                    yaml: reader.manifest.facts.configuration, name: reader.directory.shown, overrides: overrides,
                    tasks: tasks)
        }
        let configuration = loaded.configuration
        try checks.verifyConfiguration(configuration)
        facts = reader.manifest.facts
        // What an older program wrote may not be read any more: then nothing is known to be the same.
        let saved = try? RunConfiguration.parse(yaml: facts.configuration, name: reader.directory.shown, tasks: tasks)
        isOfRun =
            saved.map { configuration.differences(from: $0.configuration) }?.allSatisfy { difference in
                Self.keysOfNoScore.contains(difference.key)
                    || !["evaluation.", "data."].contains { difference.key.hasPrefix($0) }
            } ?? false
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
        evaluator = try Self.makeEvaluator(
            configuration.definition, seed: configuration.run.seed, reader,
            DataSource.roots(of: configuration, excluding: runDirectory, runtime))
        console = world.isRoot ? .standardError : nil
        console?.print("scoring \(reader.directory.shown)")
    }

    /// Whatever they are, a score stays what it is.
    private static let keysOfNoScore: Set = [
        "evaluation.resamples", "evaluation.everyEpochs", "data.workers", "data.unreadableLimit",
    ]

    /// Of the task with the networks of a checkpoint.
    private static func makeEvaluator(
        _ definition: some TaskDefinition, seed: Int, _ reader: CheckpointReader, _ roots: PictureRoots
    ) throws -> any TaskEvaluator {
        let pictures = try definition.findPictures(roots)
        // The same classes in another order would be scored as each other.
        try reader.communicator.agree(on: "comparing classes") {
            try reader.verifyFacts(
                pictures.facts, remedy: "give annotations that have the run's classes, in their order")
        }
        let known = try definition.facts(
            of: pictures, checkpoint: reader.manifest.facts.architecture, reader.communicator)
        let task = try definition.makeTask(seed: seed, elementType: .float32, facts: known.facts, isRestored: true)
        try TrainingState(task, withOptimizers: false).loadToUse(reader)
        return try task.makeEvaluator(pictures: pictures, communicator: reader.communicator)
    }

    /// Collective; the same report on all ranks.
    package func run() throws -> EvaluationReport {
        defer { console?.clear() }
        watchdog.begin(.evaluate)
        let report = try evaluator.evaluate { [console, watchdog] stage, done, total in
            watchdog.advance()
            console?.redraw("\(stage) \(done)/\(total)")
        }
        guard isOfRun else { return report }
        var best = BestScores(facts)
        return best.add(report, step: facts.step)
    }
}
