import Evaluation
import ImagePipeline
import MessagePassing
import PixelLearning
import SystemPackage
import TensorCore

/// Scores a checkpoint of a run after training: the command `pixpro evaluate`.
public final class RunEvaluation {
    private let evaluator: RunEvaluator
    private let model: PixPro
    private let console: Console?
    private let watchdog: Watchdog

    /// Opens the checkpoint and finds the pictures: those of the run's own configuration, changed by `overrides`.
    /// Collective.
    public init(
        runDirectory: FilePath, step: Int?, configurationFile: FilePath?, overrides: [String], runtime: MPIRuntime
    ) throws {
        let world = runtime.world
        let reader = try BackboneExport.open(runDirectory: runDirectory, step: step, communicator: world)
        let loaded = try world.agree(on: "reading the configuration") {
            try configurationFile.map { try RunConfiguration.load(file: $0, overrides: overrides) }
                ?? RunConfiguration.parse(
                    yaml: reader.manifest.facts.configuration, name: reader.directory.shown, overrides: overrides)
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
        model = PixPro(configuration.pixProSettings, seed: UInt64(configuration.run.seed))
        try TrainingState(model: model, optimizer: nil).load(reader)
        let index = try DataSource.index(
            configuration.data.roots.map(FilePath.init(text:)), excluding: runDirectory, runtime)
        evaluator = try RunEvaluator(configuration, index: index, communicator: world)
        console = world.isRoot ? .standardError : nil
        console?.print("scoring \(reader.directory.shown)")
    }

    /// Collective; the same report on all ranks.
    public func run() throws -> EvaluationReport {
        defer { console?.clear() }
        watchdog.begin(.evaluate)
        return try evaluator.evaluate(model.encoder) { [console, watchdog] stage, done, total in
            watchdog.advance()
            console?.redraw("\(stage) \(done)/\(total)")
        }
    }
}
