import DataParallel
import ImagePipeline
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore

/// One update of PixPro on all ranks: the walk from two views to new weights.
public final class TrainingStep {
    public let model: PixPro
    public let optimizer: LARS
    public let reducer: GradientReducer
    public let statistics: SynchronizedStatistics
    private let communicator: any Collective
    private let onlineConvolutions, momentumConvolutions: Convolutions

    /// Collective.
    public init(
        model: PixPro, optimizer: LARS, communicator: any Collective, mode: GradientReducer.Mode,
        wire: GradientReducer.Wire = .float32, engines: EngineList = .fastest
    ) throws {
        self.model = model
        self.optimizer = optimizer
        self.communicator = communicator
        onlineConvolutions = Convolutions(engines)
        momentumConvolutions = Convolutions(engines)
        reducer = try GradientReducer(
            parameters: model.online.parameters, communicator: communicator, mode: mode, wire: wire)
        statistics = try SynchronizedStatistics(communicator: communicator)
    }

    /// Moves the momentum encoder, then leaves in every parameter's gradient its mean over the global batch.
    ///
    /// The global batch is `count` micro-batches on each rank. The two directions of the loss are independent given the
    /// momentum encoder's projections, so each view is run forward and backward by itself: the same gradients, half the
    /// activations. Collective.
    public func computeGradients(
        microBatches count: Int, momentum: Double, next: () throws -> TwoViewBatch
    ) throws -> BatchOutcome {
        Trace.span("momentum update") { model.updateMomentumEncoder(momentum) }
        reducer.begin()
        var outcome = BatchOutcome(channels: model.settings.projectionChannels)
        onlineConvolutions.forgetWeights()
        for index in 0..<count {
            let batch = try Trace.span("data") { try next() }
            let targets = try self.targets(of: batch)
            let positives = self.positives(of: batch)
            let weight = try imageWeight(positives.0, microBatches: count)
            let isLast = index == count - 1
            var loss = try model.learn(
                view: batch.view1, target: targets.1, positives: positives.0, imageWeight: weight,
                statistics: statistics, convolutions: onlineConvolutions, onGradientReady: nil)
            loss += try model.learn(
                view: batch.view2, target: targets.0, positives: positives.1, imageWeight: weight,
                statistics: statistics, convolutions: onlineConvolutions,
                onGradientReady: isLast ? reducer.markReady : nil)
            outcome.losses.append(loss)
            outcome.count(positives.0)
            outcome.features.add(targets.0)
        }
        try reducer.finish()
        return outcome
    }

    /// A whole step, whose update is left out where `accept` refuses its gradients. Collective.
    public func run(
        microBatches: Int, momentum: Double, learningRate: Double,
        accept: (BatchOutcome) throws -> Bool = { _ in true }, next: () throws -> TwoViewBatch
    ) throws -> BatchOutcome {
        let outcome = try computeGradients(microBatches: microBatches, momentum: momentum, next: next)
        if try accept(outcome) { Trace.span("optimizer") { optimizer.update(learningRate: learningRate) } }
        return outcome
    }

    /// The momentum encoder's projections of both views.
    private func targets(of batch: TwoViewBatch) throws -> (Tensor, Tensor) {
        defer { momentumConvolutions.forgetWeights() }
        return try (
            model.target(batch.view1, statistics: statistics, convolutions: momentumConvolutions),
            model.target(batch.view2, statistics: statistics, convolutions: momentumConvolutions)
        )
    }

    private func positives(of batch: TwoViewBatch) -> (PositivePairs, PositivePairs) {
        let size = batch.view1.shape[1]
        return (
            model.positives(query: batch.box1, key: batch.box2, imageSize: size),
            model.positives(query: batch.box2, key: batch.box1, imageSize: size)
        )
    }

    /// 1 / the image pairs that the step's loss is the mean of: all of the global batch, or (in the paper's dialect)
    /// those of each micro-batch that overlap.
    private func imageWeight(_ positives: PositivePairs, microBatches: Int) throws -> Double {
        var pairs = Double(positives.counts.count * communicator.size)
        if model.settings.dialect.skipsPairsWithoutOverlap {
            pairs = try communicator.sum([Double(positives.counts.count { $0 > 0 })])[0]
        }
        return pairs > 0 ? 1 / (pairs * Double(microBatches)) : 0
    }
}

/// What one rank knows of a step: sums over ranks are the step's figures.
public struct BatchOutcome: Sendable {
    /// This rank's part of the loss, by micro-batch.
    public var losses: [Double] = []
    public var loss: Double { losses.reduce(0, +) }
    /// Of the momentum projections of the first views.
    public var features: FeatureMoments
    public var images = 0
    /// Pairs of cells that show the same place.
    public var positives = 0
    /// Image pairs whose views have no such cell.
    public var withoutOverlap = 0

    public init(channels: Int) { features = FeatureMoments(channels: channels) }

    mutating func count(_ pairs: PositivePairs) {
        images += pairs.counts.count
        positives += pairs.counts.reduce(0, +)
        withoutOverlap += pairs.counts.count { $0 == 0 }
    }
}
