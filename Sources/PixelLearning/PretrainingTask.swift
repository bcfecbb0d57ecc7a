package import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Optimization
package import TensorCore

extension PretrainingSettings: TaskDefinition {
    package func makeTask(seed: Int, elementType: ElementType) -> PretrainingTask {
        PretrainingTask(prepared(seed: seed, elementType: elementType))
    }
}

/// Pretraining as a task: two views of each picture, pixels of one against those of the other.
package final class PretrainingTask: TrainingTask {
    package let settings: PretrainingSettings
    package let model: PixelModel
    package let modules: [TrainedModule]
    package let averages: [MovingAverage]
    private let onlineConvolutions, momentumConvolutions: Convolutions
    private var collapse = CollapseWatch()
    private var overlap: OverlapWatch

    package init(_ settings: PretrainingSettings, engines: EngineList = .fastest) {
        self.settings = settings
        model = PixelModel(settings.model, seed: settings.seed)
        let optimizer = LARS(
            model.online.parameters, momentum: settings.optimizer.momentum,
            weightDecay: settings.optimizer.weightDecay,
            trustCoefficient: settings.optimizer.name == .lars ? settings.optimizer.trustCoefficient : nil)
        modules = [TrainedModule(name: "online", state: model.online, optimizer: optimizer)]
        averages = [
            MovingAverage(
                state: model.momentum, followed: model.followed,
                coefficient: MomentumSchedule(base: settings.baseMomentum))
        ]
        onlineConvolutions = Convolutions(engines)
        momentumConvolutions = Convolutions(engines)
        overlap = OverlapWatch(settings)
    }

    package var samples: TwoViewTransform { settings.views.transform(seed: settings.seed) }

    package func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [
            .pretraining(
                baseRate: settings.optimizer.baseLearningRate, globalBatch: length.globalBatch,
                warmupSamples: length.warmupEpochs * length.epochImages)
        ]
    }

    // MARK: Networks and loss

    /// The two directions of the loss are independent given the momentum network's targets, so each view is run forward
    /// and backward by itself: the same gradients, half the activations.
    package func learn(_ batch: TwoViewBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        if part.isFirst { onlineConvolutions.forgetWeights() }
        let targets = try self.targets(of: batch, part)
        let positives = self.positives(of: batch)
        let weight = try imageWeight(positives.0, part)
        func direction(_ target: PixelModel.Target, _ positives: PositivePairs) throws -> PixelModel.Direction {
            PixelModel.Direction(
                target: target.pixels, positives: positives, imageWeight: weight,
                keys: try target.instances.map { try keys($0, part) }, instanceWeight: 1 / Double(part.globalImages))
        }
        // Both before a backward: collectives are in one order on all ranks.
        let directions = try (direction(targets.1, positives.0), direction(targets.0, positives.1))
        let first = try model.learn(
            view: batch.view1, directions.0, measuresAttention: true, statistics: part.statistics,
            convolutions: onlineConvolutions, onGradientReady: nil)
        let second = try model.learn(
            view: batch.view2, directions.1, statistics: part.statistics, convolutions: onlineConvolutions,
            onGradientReady: part.onGradientReady)
        count(positives.0, targets.0.pixels, first.attentionEntropy, &figures)
        let pixel = first.pixel + second.pixel
        guard settings.model.instance.kind != .none else { return pixel }
        let instance = first.instance + second.instance
        figures.add("loss pixel", sum: pixel)
        figures.add("loss instance", sum: instance)
        return pixel + settings.model.instance.weight * instance
    }

    /// The momentum network's targets of both views.
    private func targets(of batch: TwoViewBatch, _ part: BatchPart) throws -> (PixelModel.Target, PixelModel.Target) {
        defer { momentumConvolutions.forgetWeights() }
        return try (
            model.target(batch.view1, statistics: part.statistics, convolutions: momentumConvolutions),
            model.target(batch.view2, statistics: part.statistics, convolutions: momentumConvolutions)
        )
    }

    /// What a query is compared with: for simclr the vectors of the whole micro-batch. Collective for simclr.
    private func keys(_ own: Tensor, _ part: BatchPart) throws -> InstanceKeys {
        guard settings.model.instance.kind == .simclr else { return InstanceKeys(vectors: own) }
        let all = try part.communicator.allGather(own.array), channels = own.shape[1]
        let counts = all.map { $0.count / channels }
        return InstanceKeys(
            vectors: Tensor([counts.reduce(0, +), channels], all.flatMap { $0 }),
            first: counts[..<part.communicator.rank].reduce(0, +))
    }

    private func positives(of batch: TwoViewBatch) -> (PositivePairs, PositivePairs) {
        let size = batch.view1.shape[1]
        return (
            model.positives(query: batch.box1, key: batch.box2, imageSize: size),
            model.positives(query: batch.box2, key: batch.box1, imageSize: size)
        )
    }

    /// What an image pair weighs in the loss: its share in the mean over the step's, or (in the paper's dialect) over
    /// those of its micro-batch that overlap. Collective.
    private func imageWeight(_ positives: PositivePairs, _ part: BatchPart) throws -> Double {
        guard settings.model.dialect.skipsPairsWithoutOverlap else { return 1 / Double(part.globalImages) }
        let pairs = try part.communicator.sum([Double(positives.counts.count { $0 > 0 })])[0]
        return pairs > 0 ? Double(part.microBatchImages) / (pairs * Double(part.globalImages)) : 0
    }

    // MARK: Figures

    private func count(
        _ pairs: PositivePairs, _ targets: Tensor, _ attentionEntropy: Double?, _ figures: inout Figures
    ) {
        var features = FeatureMoments(channels: settings.model.projectionChannels)
        features.add(targets)
        let images = Double(pairs.counts.count), cells = Double(pairs.mask.shape[1] * pairs.mask.shape[2])
        let positives = Double(pairs.counts.reduce(0, +))
        figures.add("positives", total: positives, of: images)
        figures.add("without overlap", total: Double(pairs.counts.count { $0 == 0 }), of: images)
        figures.add("feature rows", sum: Double(features.rows))
        figures.add("features", sums: features.sums)
        if let attentionEntropy { figures.add("entropy", total: images * attentionEntropy, of: images) }
        if settings.model.method == .pixcontrast {
            figures.add("negatives", total: images * cells - positives, of: images)
        }
    }

    /// Matching cells per image pair, the share of pairs without any, and how far the momentum projections of different
    /// pixels are from being one and the same: 0 for equal ones, 1 for vectors in all directions. Of PixPro how evenly
    /// pixels look at others, of PixContrast the cells that do not match; with an instance branch both losses.
    package func observe(_ totals: Figures.Totals, step: Int) -> StepObservation {
        let spread = FeatureMoments(rows: Int(totals.sum("feature rows")), sums: totals.sums("features")).spread
        let positives = totals.mean("positives")
        var metrics = [
            "positivesPerImage": positives, "withoutOverlap": totals.mean("without overlap"), "featureSpread": spread,
        ]
        switch settings.model.method {
        case .pixpro: metrics["attentionEntropy"] = totals.mean("entropy")
        case .pixcontrast: metrics["negativesPerImage"] = totals.mean("negatives")
        }
        if settings.model.instance.kind != .none {
            metrics["loss.pixel"] = totals.sum("loss pixel")
            metrics["loss.instance"] = totals.sum("loss instance")
        }
        return StepObservation(
            metrics: metrics,
            warnings: [collapse.add(spread, step: step), overlap.add(positives, step: step)].compactMap { $0 })
    }

    /// A vector alone has no others to be told from.
    package var leastMicroBatch: Int { settings.model.instance.kind == .simclr ? 2 : 1 }

    // MARK: Description

    package var architectureFacts: [String: String] {
        let model = settings.model
        return [
            "architecture": model.architecture.rawValue, "projectorWidth": "\(model.projectorWidth)",
            "transformLayers": "\(model.transformLayers)", "method": settings.model.method.rawValue,
            "dialect": model.dialect.rawValue,
        ]
    }

    /// The network that was trained, and its moving average.
    package static let onlineEncoder = ExportMap(name: "online", withoutPrefix: "encoder.")
    package static let momentumEncoder = ExportMap(name: "momentum", withoutPrefix: "encoder_k.")

    package var exportMaps: [ExportMap] { [Self.onlineEncoder, Self.momentumEncoder] }

    package var summary: String {
        let model = settings.model, instance = model.instance.kind == .none ? "" : " + \(model.instance.kind.rawValue)"
        return "\(model.method.rawValue)\(instance) (\(model.dialect.rawValue)), \(model.architecture.rawValue) at "
            + "\(settings.views.imageSize) px"
    }

    package func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator {
        try PretrainingEvaluator(model.encoder, settings, index: pictures, communicator: communicator)
    }

    package func forecasts() -> [String] { [OverlapWatch.forecast(settings)].compactMap { $0 } }
}
