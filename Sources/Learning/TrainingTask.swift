import DataParallel
import ImagePipeline
import MessagePassing
import NeuralNetwork
import Optimization
import TensorCore

/// What a run trains: the seam between the machinery of a run, which knows no task, and networks and losses.
///
/// A step is one or several phases, each an update of one module on a batch of its own. The machinery loads, shares
/// batches over ranks, reduces gradients, updates, saves, resumes and reports; a task says what is to be done.
public protocol TrainingTask: AnyObject {
    /// How pictures become batches.
    associatedtype Samples: SampleLoading

    /// In the order of checkpoints.
    var modules: [TrainedModule] { get }
    /// What follows by averaging, moved before each step; in checkpoints behind the modules.
    var averages: [MovingAverage] { get }
    /// The updates of a step, in their order.
    var phases: [TrainingPhase] { get }

    /// Images that a micro-batch over all ranks must have at least.
    var leastMicroBatch: Int { get }

    /// How the pictures of a run become batches.
    var samples: Samples { get }

    /// The learning rate of each module over a run of this length.
    func learningRates(_ length: RunLength) -> [LearningRateSchedule]

    /// Forward and backward of this rank's part of a micro-batch: adds to the gradients of the phase's module what the
    /// sum over all ranks and micro-batches shall hold. Returns this rank's part of the loss. Collective.
    ///
    /// The last backward of the part passes `part.onGradientReady` to the tape.
    func learn(_ batch: Samples.Batch, _ part: BatchPart, _ figures: inout Figures) throws -> Double

    /// What the figures of a step on all ranks say. Called once for each step, in order.
    func observe(_ totals: Figures.Totals, step: Int) -> StepObservation

    /// What decides which tensors a checkpoint has, by name.
    var architectureFacts: [String: String] { get }
    /// What can be exported.
    var exportMaps: [ExportMap] { get }
    /// For the log: "pixpro (official), resnet50".
    var summary: String { get }
    /// What the settings alone let expect, before a picture is read.
    func forecasts() -> [String]

    /// What scores the task's networks as they are at the time; finds its pictures now, before hours of training rather
    /// than after. Collective.
    ///
    /// - Parameter pictures: those of the run.
    func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator
}

/// Scores the networks of a task.
public protocol TaskEvaluator: AnyObject {
    /// Collective; the same report on all ranks. What `progress` throws on any rank ends it on all, as an `AgreedError`.
    func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport
}

extension TrainingTask {
    public var averages: [MovingAverage] { [] }
    public var leastMicroBatch: Int { 1 }
    public var phases: [TrainingPhase] { [TrainingPhase(name: "", module: 0)] }
    public func observe(_ totals: Figures.Totals, step: Int) -> StepObservation { StepObservation() }
    public func forecasts() -> [String] { [] }
    public var exportMaps: [ExportMap] { [] }

    /// Everything that a run must restore, in the order of checkpoints.
    public var states: [ModelState] { modules.map(\.state) + averages.map(\.state) }
}

/// An update within a step.
public struct TrainingPhase: Sendable, Equatable {
    /// For figures: empty where it is the only one.
    public let name: String
    /// Which of the task's modules it moves.
    public let module: Int

    public init(name: String, module: Int) { (self.name, self.module) = (name, module) }

    /// Of the figure that sums its loss; phases of one name are one figure.
    public var lossName: String { name.isEmpty ? "loss" : "loss \(name)" }
}

/// How long a run is, in images.
public struct RunLength: Sendable, Equatable {
    public let globalBatch: Int
    /// Images that an epoch sees: whole batches.
    public let epochImages: Int
    public let epochs: Int
    /// Of which the rate rises in so many.
    public let warmupEpochs: Int

    public init(globalBatch: Int, epochImages: Int, epochs: Int, warmupEpochs: Int) {
        (self.globalBatch, self.epochImages) = (globalBatch, epochImages)
        (self.epochs, self.warmupEpochs) = (epochs, warmupEpochs)
    }
}

/// This rank's part of a micro-batch, and what it is part of.
public struct BatchPart {
    public let phase: TrainingPhase
    /// Images of the micro-batch over all ranks: what couples images (statistics, negatives) is of these.
    public let microBatchImages: Int
    /// Images of the update over all ranks: a mean over it gives each image 1 / this.
    public let globalImages: Int
    /// Whether weights may have changed since the last part: the first micro-batch of a phase.
    public let isFirst: Bool
    /// All ranks, for sums of what only a task knows.
    public let communicator: any Collective
    public let statistics: any StatisticsReducing
    /// For the last backward; nil unless this is the last micro-batch.
    public let onGradientReady: ((Parameter) throws -> Void)?
}

/// What a task makes of the figures of a step.
public struct StepObservation: Sendable, Equatable {
    /// By their names in metrics.jsonl.
    public var metrics: [String: Double]
    /// A sentence each.
    public var warnings: [String]

    public init(metrics: [String: Double] = [:], warnings: [String] = []) {
        (self.metrics, self.warnings) = (metrics, warnings)
    }
}
