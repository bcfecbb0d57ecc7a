import Files
package import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Optimization
import SystemPackage
package import TensorCore

extension PretrainingSettings: TaskDefinition {
    package func makeTask(
        seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool
    ) throws -> PretrainingTask {
        PretrainingTask(
            try prepared(seed: seed, elementType: elementType, facts: facts), isRestored: isRestored)
    }

    /// The backbone that was trained, which the published results use, and its moving average; with a pyramid all of the
    /// trained network that a detector begins with.
    package var exportMaps: [ExportMap] {
        let backbone = (model.architecture, 32)
        let pyramid = ExportMap(name: "pyramid") { name in
            ["encoder.", "pyramid.", "tower_cls.", "tower_bbox."].contains { name.hasPrefix($0) } ? name : nil
        }
        return [
            ExportMap(name: "online", withoutPrefix: "encoder.", backbone: backbone),
            ExportMap(name: "momentum", withoutPrefix: "encoder_k.", backbone: backbone),
        ] + (model.pyramid.levels.numbers.isEmpty ? [] : [pyramid])
    }

    package func makePredictor(
        _ architecture: [String: String], _ options: PredictionOptions
    ) throws -> (any TaskPredictor)? {
        FeaturePredictor(model.architecture, try pixels.resolved(architecture).normalization, options)
    }

    package var pixelSettings: PixelSettings? { pixels }

    package var exportCard: [String: String] {
        [
            "trained_image_size": "\(views.imageSize)",
            "method": "\(model.method.rawValue), dialect \(model.dialect.rawValue)",
        ]
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

    package init(_ settings: PretrainingSettings, isRestored: Bool = false, engines: EngineList = .fastest) {
        self.settings = settings
        model = PixelModel(settings.model, seed: isRestored ? nil : settings.seed)
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

    package func samples(of pictures: ImageIndex) -> TwoViewTransform {
        settings.transform
    }

    package func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [
            .pretraining(
                baseRate: settings.optimizer.baseLearningRate, globalBatch: length.globalBatch,
                warmupSamples: length.warmupEpochs * length.epochImages)
        ]
    }

    package func beginWithWeights() throws -> [String] {
        guard let start = settings.start else { return [] }
        let report = try StartingWeights(path: start).fill(model.online)
        model.restartMomentum()
        return report.lines(start, settings.pixels.normalization)
    }

    // MARK: Networks and loss

    /// The two directions of the loss are independent given the momentum network's targets. So each view is run forward and
    /// backward by itself, which gives the same gradients with half the activations, or, where passes are interleaved, beside
    /// the other.
    package func learn(_ batch: TwoViewBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        if part.isFirst { onlineConvolutions.forgetWeights() }
        let views = (
            OnlineView(model, view: batch.view1, measuresAttention: true, convolutions: onlineConvolutions),
            OnlineView(model, view: batch.view2, convolutions: onlineConvolutions)
        )
        let targets = try self.targets(of: batch, part, beside: [views.0.predict, views.1.predict])
        let positives = self.positives(of: batch)
        let weights = try imageWeights(positives.0, part)
        func direction(_ target: PixelModel.Target, _ positives: [PositivePairs]) throws -> PixelModel.Direction {
            PixelModel.Direction(
                targets: target.pixels, positives: positives, imageWeights: weights,
                keys: try target.instances.map { try keys($0, part) }, instanceWeight: 1 / Double(part.globalImages))
        }
        // Both before a backward: collectives are in one order on all ranks.
        let directions = try (direction(targets[1], positives.0), direction(targets[0], positives.1))
        var gradients = GradientsOfViews(views: 2)
        let onGradientReady = part.onGradientReady.map { report in
            { (parameter: Parameter) in if gradients.isComplete(parameter) { try report(parameter) } }
        }
        var losses: [PixelModel.Losses?] = [nil, nil]
        try part.run([
            { losses[0] = try views.0.learn(directions.0, $0, onGradientReady: onGradientReady) },
            { losses[1] = try views.1.learn(directions.1, $0, onGradientReady: onGradientReady) },
        ])
        let first = losses[0]!, second = losses[1]!
        count(positives.0, targets[0].pixels, first.attentionEntropy, &figures)
        for (index, term) in model.terms.enumerated() where !term.name.isEmpty {
            figures.add("loss \(term.name)", sum: first.terms[index] + second.terms[index])
        }
        let pixel = first.pixel + second.pixel
        if hasParts { figures.add("loss pixel", sum: pixel) }
        guard settings.model.instance.kind != .none else { return pixel }
        let instance = first.instance + second.instance
        figures.add("loss instance", sum: instance)
        return pixel + settings.model.instance.weight * instance
    }

    /// Whether the loss is a sum of several.
    private var hasParts: Bool { model.terms.count > 1 || settings.model.instance.kind != .none }

    /// The momentum network's targets of both views.
    ///
    /// - Parameter predictions: what may be done at the same time, and is where passes are interleaved.
    private func targets(
        of batch: TwoViewBatch, _ part: BatchPart, beside predictions: [(any StatisticsReducing) throws -> Void]
    ) throws -> [PixelModel.Target] {
        defer { momentumConvolutions.forgetWeights() }
        var targets: [PixelModel.Target?] = [nil, nil]
        let momentum = [batch.view1, batch.view2].enumerated().map { number, view in
            { [self] (statistics: any StatisticsReducing) in
                targets[number] = try model.target(
                    view, statistics: statistics, convolutions: momentumConvolutions)
            }
        }
        try part.run(momentum + (part.passes.isInterleaving ? predictions : []))
        return targets.map { $0! }
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

    private func positives(of batch: TwoViewBatch) -> ([PositivePairs], [PositivePairs]) {
        let size = batch.view1.shape[1]
        return (
            model.positives(query: batch.box1, key: batch.box2, imageSize: size),
            model.positives(query: batch.box2, key: batch.box1, imageSize: size)
        )
    }

    /// What an image pair weighs in the loss of each level: its share in the mean over the step's, or (in the paper's
    /// dialect) over those of its micro-batch that overlap. Collective.
    private func imageWeights(_ positives: [PositivePairs], _ part: BatchPart) throws -> [Double] {
        guard settings.model.dialect.skipsPairsWithoutOverlap else {
            return positives.map { _ in 1 / Double(part.globalImages) }
        }
        let pairs = try part.communicator.sum(positives.map { Double($0.counts.count { $0 > 0 }) })
        return pairs.map { $0 > 0 ? Double(part.microBatchImages) / ($0 * Double(part.globalImages)) : 0 }
    }

    // MARK: Figures

    /// `positives` by level, `targets` by term.
    private func count(
        _ positives: [PositivePairs], _ targets: [Tensor], _ attentionEntropy: Double?, _ figures: inout Figures
    ) {
        var features = FeatureMoments(channels: settings.model.projectionChannels)
        for target in targets { features.add(target) }
        figures.add("feature rows", sum: Double(features.rows))
        figures.add("features", sums: features.sums)
        for pairs in positives {
            let images = Double(pairs.images), matching = Double(pairs.counts.reduce(0, +))
            figures.add("positives", total: matching, of: images)
            figures.add("without overlap", total: Double(pairs.counts.count { $0 == 0 }), of: images)
            if settings.model.method == .pixcontrast {
                figures.add("negatives", total: images * Double(pairs.cells * pairs.cells) - matching, of: images)
            }
        }
        let images = Double(positives[0].images)
        if let attentionEntropy { figures.add("entropy", total: images * attentionEntropy, of: images) }
    }

    /// Matching cells per image pair, the share of pairs without any, and how far the momentum projections of different
    /// pixels are from being one and the same: 0 for equal ones, 1 for vectors in all directions. Of PixPro how evenly
    /// pixels look at others, of PixContrast the cells that do not match. Means over a pyramid's levels; with them, and with
    /// an instance branch, the parts of the loss.
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
        for part in lossParts { metrics["loss.\(part)"] = totals.sum("loss \(part)") }
        return StepObservation(
            metrics: metrics,
            warnings: [collapse.add(spread, step: step), overlap.add(positives, step: step)].compactMap { $0 })
    }

    /// The parts of the loss that are reported beside the loss itself.
    package var lossParts: [String] {
        (hasParts ? ["pixel"] : []) + model.terms.map(\.name).filter { !$0.isEmpty }
            + (settings.model.instance.kind != .none ? ["instance"] : [])
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
        ].merging(pyramidFacts) { $1 }.merging(settings.pixels.normalization.facts) { $1 }
    }

    /// Nothing without a pyramid, as checkpoints of older versions have it.
    private var pyramidFacts: [String: String] {
        let pyramid = settings.model.pyramid
        guard !pyramid.levels.numbers.isEmpty else { return [:] }
        return [
            "pyramidLevels": pyramid.levels.yaml, "pyramidChannels": "\(pyramid.channels)",
            "towerDepth": "\(pyramid.towerDepth)",
        ]
    }

    package var summary: String {
        let model = settings.model, instance = model.instance.kind == .none ? "" : " + \(model.instance.kind.rawValue)"
        let levels = model.levels.map(\.name).joined(separator: ", ")
        let place =
            model.pyramid.levels.numbers.isEmpty ? "" : ", pyramid on \(levels)\(model.hasTowers ? " and towers" : "")"
        return
            "\(model.method.rawValue)\(instance) (\(model.dialect.rawValue)), \(model.architecture.rawValue)\(place) at "
            + "\(settings.views.imageSize) px"
    }

    package func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator {
        try PretrainingEvaluator(model.encoder, settings, index: pictures, communicator: communicator)
    }

    package func forecasts() -> [String] { [OverlapWatch.forecast(settings)].compactMap { $0 } }
}
