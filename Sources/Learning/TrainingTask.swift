import DataParallel
package import ImagePipeline
package import MessagePassing
package import NeuralNetwork
package import Optimization
import TensorCore

/// What a run trains: the seam between the machinery of a run, which knows no task, and networks and losses.
///
/// A step is one or several phases, each an update of one module on a batch of its own. The machinery loads, shares
/// batches over ranks, reduces gradients, updates, saves, resumes and reports; a task says what is to be done.
package protocol TrainingTask: AnyObject {
    /// How pictures become batches.
    associatedtype Samples: SampleLoading
    /// What is known of the pictures of a run.
    associatedtype Pictures: TrainingPictures = ImageIndex

    /// In the order of checkpoints.
    var modules: [TrainedModule] { get }
    /// What follows by averaging, moved before each step; in checkpoints behind the modules.
    var averages: [MovingAverage] { get }
    /// The updates of a step, in their order.
    var phases: [TrainingPhase] { get }

    /// Images that a micro-batch over all ranks must have at least.
    var leastMicroBatch: Int { get }

    /// How the pictures of a run become batches.
    func samples(of pictures: Pictures) -> Samples

    /// Fills the networks from a file that a new run begins with, if it was given one; a sentence for each thing to know.
    /// Called on rank zero, whose weights go to all others.
    func beginWithWeights() throws -> [String]

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
    /// For the log: "pixpro (official), resnet50".
    var summary: String { get }
    /// What the settings alone let expect, before a picture is read.
    func forecasts() -> [String]

    /// What scores the task's networks as they are at the time; finds its pictures now, before hours of training rather
    /// than after. Collective.
    ///
    /// - Parameter pictures: those of the run.
    func makeEvaluator(pictures: Pictures, communicator: any Collective) throws -> any TaskEvaluator
}

/// Scores the networks of a task.
package protocol TaskEvaluator: AnyObject {
    /// Collective; the same report on all ranks. What `progress` throws on any rank ends it on all, as an `AgreedError`.
    func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport
}

extension TrainingTask {
    package var averages: [MovingAverage] { [] }
    package var leastMicroBatch: Int { 1 }
    package var phases: [TrainingPhase] { [TrainingPhase(name: "", module: 0)] }
    package func observe(_ totals: Figures.Totals, step: Int) -> StepObservation { StepObservation() }
    package func forecasts() -> [String] { [] }
    package func beginWithWeights() throws -> [String] { [] }

    /// Everything that a run must restore, in the order of checkpoints.
    package var states: [ModelState] { modules.map(\.state) + averages.map(\.state) }
}

/// An update within a step.
package struct TrainingPhase: Sendable, Equatable {
    /// For figures: empty where it is the only one.
    package let name: String
    /// Which of the task's modules it moves.
    package let module: Int

    package init(name: String, module: Int) { (self.name, self.module) = (name, module) }

    /// Of the figure that sums its loss; phases of one name are one figure.
    package var lossName: String { name.isEmpty ? "loss" : "loss \(name)" }
}

/// How long a run is, in images.
package struct RunLength: Sendable, Equatable {
    package let globalBatch: Int
    /// Images that an epoch sees: whole batches.
    package let epochImages: Int
    package let epochs: Int
    /// Of which the rate rises in so many.
    package let warmupEpochs: Int

    package init(globalBatch: Int, epochImages: Int, epochs: Int, warmupEpochs: Int) {
        (self.globalBatch, self.epochImages) = (globalBatch, epochImages)
        (self.epochs, self.warmupEpochs) = (epochs, warmupEpochs)
    }
}

/// This rank's part of a micro-batch, and what it is part of.
package struct BatchPart {
    package let phase: TrainingPhase
    /// Where this rank's images stand among those of the update over all ranks.
    package let places: Range<Int>
    /// Images of the micro-batch over all ranks: what couples images (statistics, negatives) is of these.
    package let microBatchImages: Int
    /// Images of the update over all ranks: a mean over it gives each image 1 / this.
    package let globalImages: Int
    /// Whether weights may have changed since the last part: the first micro-batch of a phase.
    package let isFirst: Bool
    /// All ranks, for sums of what only a task knows.
    package let communicator: any Collective
    package let statistics: any StatisticsReducing
    package let passes: PassRunner
    /// For the last backward; nil unless this is the last micro-batch.
    package let onGradientReady: ((Parameter) throws -> Void)?

    /// Runs passes that need nothing of each other, each with the statistics that it is given: interleaved if that is
    /// wanted, at most `SynchronizedStatistics.mostPasses`.
    package func run(_ passes: [(any StatisticsReducing) throws -> Void]) throws {
        try self.passes.run(passes, alone: statistics)
    }
}

/// What a task makes of the figures of a step.
package struct StepObservation: Sendable, Equatable {
    /// By their names in metrics.jsonl.
    package var metrics: [String: Double]
    /// A sentence each.
    package var warnings: [String]

    package init(metrics: [String: Double] = [:], warnings: [String] = []) {
        (self.metrics, self.warnings) = (metrics, warnings)
    }
}
