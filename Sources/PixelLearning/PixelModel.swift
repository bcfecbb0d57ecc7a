package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// PixPro or PixContrast (Xie et al., CVPR 2021), with an instance branch beside or without: an online network that
/// learns, and a momentum network that follows.
package final class PixelModel {
    package let settings: PixelModelSettings
    /// Everything that is trained, under the published names.
    package let online: ModelState
    /// The momentum networks' tensors: averages of the online ones, with statistics of their own.
    package let momentum: ModelState
    private let network, momentumNetwork: PixelNetwork
    /// By branch; empty for PixContrast.
    private let propagations: [PixelPropagation]
    private let instance: InstanceBranch?
    /// Online parameters that the momentum parameters follow, in the same order.
    package let followed: [Parameter]
    /// Where pixels are compared.
    package let terms: [PixelTerm]

    package var encoder: ResNet { network.encoder }

    /// - Parameter seed: of the initial values; nil for a model that is filled by its maker.
    package init(_ settings: PixelModelSettings, seed: UInt64?) {
        self.settings = settings
        let online = ModelState(seed: seed), momentum = ModelState(seed: nil)
        (self.online, self.momentum) = (online, momentum)
        terms = settings.terms
        let root = Scope(online), twin = Scope(momentum)
        network = PixelNetwork(settings, root)
        momentumNetwork = PixelNetwork(settings, twin, suffix: "_k")
        propagations =
            settings.method == .pixcontrast
            ? []
            : settings.branchSuffixes.map {
                PixelPropagation(
                    root.child("value_transform" + $0), channels: settings.projectionChannels,
                    layers: settings.transformLayers, gamma: settings.gamma, clamp: settings.clamp,
                    dialect: settings.dialect)
            }
        instance =
            settings.instance.kind == .none
            ? nil
            : InstanceBranch(
                settings.instance, root, twin, inputs: network.encoder.top.channels, width: settings.projectorWidth,
                projection: settings.projectionChannels)
        let alone = ["value_transform", "predictor."]
        followed = online.parameters.filter { parameter in !alone.contains { parameter.name.hasPrefix($0) } }
        if seed != nil { restartMomentum() }
    }

    /// Makes the momentum networks equal to the online ones.
    package func restartMomentum() {
        for (target, source) in zip(momentum.parameters, followed) { target.value.copy(from: source.value) }
        let statistics = Dictionary(uniqueKeysWithValues: online.statistics.map { ($0.name, $0) })
        for target in momentum.statistics {
            guard let source = statistics[target.name.replacing("_k.", with: ".", maxReplacements: 1)] else { continue }
            target.mean.copy(from: source.mean)
            target.variance.copy(from: source.variance)
        }
    }

    /// What the momentum network makes of a view, without gradient.
    package struct Target {
        /// Unit projections [N, H, W, projectionChannels] by term.
        package let pixels: [Tensor]
        /// Unit vectors [N, projectionChannels]; nil without an instance branch.
        package let instances: Tensor?
    }

    /// The momentum network on a view [N, S, S, 3].
    package func target(
        _ view: Tensor, statistics: any StatisticsReducing, convolutions: Convolutions = Convolutions()
    ) throws -> Target {
        let pass = Pass(
            mode: .training, statistics: statistics, elementType: settings.elementType, convolutions: convolutions)
        return try Trace.span("momentum forward", counts: .forward) {
            let maps = try momentumNetwork(view, pass)
            return Target(
                pixels: maps.projections.map { normalizeRows($0, pass).value },
                instances: try instance?.key(maps.features, pass))
        }
    }

    /// What the online network makes of a view, stage by stage.
    struct Prediction {
        let maps: PixelNetwork.Maps
        /// By term, before normalisation; empty for PixContrast.
        let propagated: [Variable]
        /// Of the propagations, by term; empty where they were not asked for.
        let entropies: [Double]
        /// Unit vectors [N, projectionChannels]; nil without an instance branch.
        let instances: Variable?
    }

    /// The online network on a view [N, S, S, 3].
    func predict(_ view: Tensor, measuresAttention: Bool = false, _ pass: Pass) throws -> Prediction {
        let maps = try network(view, pass)
        let propagated = try zip(terms, maps.projections).compactMap { term, projection in
            propagations.isEmpty
                ? nil : try propagations[term.branch](projection, measuresEntropy: measuresAttention, pass)
        }
        return Prediction(
            maps: maps, propagated: propagated.map(\.pixels), entropies: propagated.compactMap(\.entropy),
            instances: try instance?.query(maps.features, pass))
    }

    /// The stages of a prediction by the names that references have for them.
    func stages(_ prediction: Prediction) -> [String: Tensor] {
        var named = ["encoder1": prediction.maps.features.value]
        named["instance1"] = prediction.instances?.value
        for (number, map) in zip(settings.pyramid.levels.numbers, prediction.maps.pyramid) {
            named["level\(number).pyramid1"] = map.value
        }
        func add(_ stage: String, _ maps: [Variable]) {
            for (term, map) in zip(terms, maps) { named[term.prefix + stage] = map.value }
        }
        add("tower1", prediction.maps.towers)
        add("projection1", prediction.maps.projections)
        add("propagated1", prediction.propagated)
        return named
    }

    /// What one direction is compared with, and how much each image counts in the mean over a step's.
    package struct Direction {
        /// The momentum network's unit projections of the other view, by term.
        package let targets: [Tensor]
        /// By level.
        package let positives: [PositivePairs]
        /// 1 / the images of which a level's loss is the mean, on all ranks; by level.
        package let imageWeights: [Double]
        /// Nil without an instance branch.
        package let keys: InstanceKeys?
        /// The same for the instances' loss.
        package let instanceWeight: Double

        package init(
            targets: [Tensor], positives: [PositivePairs], imageWeights: [Double], keys: InstanceKeys? = nil,
            instanceWeight: Double = 0
        ) {
            (self.targets, self.positives, self.imageWeights) = (targets, positives, imageWeights)
            (self.keys, self.instanceWeight) = (keys, instanceWeight)
        }
    }

    /// This rank's part of the losses of one direction.
    package struct Losses {
        /// By term; the loss of pixels is their mean.
        package let terms: [Double]
        /// Without its weight; 0 without an instance branch.
        package let instance: Double
        /// How evenly the propagations spread their weights: 0 where each pixel looks at one other, 1 where it looks at
        /// all alike; the mean over terms. Nil where it was not asked for, and without a propagation.
        package let attentionEntropy: Double?

        package var pixel: Double { terms.reduce(0, +) / Double(terms.count) }
    }

    /// The losses of a prediction against the other view's target, and their sum, which backward begins with.
    func losses(
        of prediction: Prediction, _ direction: Direction, _ pass: Pass
    ) throws -> (parts: Losses, total: Variable) {
        let pixels = terms.indices.map { pixelLoss(prediction, $0, direction, pass) }
        var total = pixels.dropFirst().reduce(pixels[0].variable) { add($0, $1.variable, weight: 1, pass) }
        var instanceLoss = 0.0
        if let instance, let query = prediction.instances, let keys = direction.keys {
            let part = instance.loss(query: query, keys: keys, imageWeight: direction.instanceWeight, pass)
            instanceLoss = part.loss
            total = add(total, part.variable, weight: Float(settings.instance.weight), pass)
        }
        let entropies = prediction.entropies
        let parts = Losses(
            terms: pixels.map { $0.loss * Double(terms.count) }, instance: instanceLoss,
            attentionEntropy: entropies.isEmpty ? nil : entropies.reduce(0, +) / Double(entropies.count))
        return (parts, total)
    }

    /// A term's part of the loss of pixels, which is the mean of all terms'.
    private func pixelLoss(
        _ prediction: Prediction, _ term: Int, _ direction: Direction, _ pass: Pass
    ) -> (loss: Double, variable: Variable) {
        let maps = propagations.isEmpty ? prediction.maps.projections : prediction.propagated
        let query = normalizeRows(maps[term], pass), key = direction.targets[term], level = terms[term].level
        let positives = direction.positives[level], weight = direction.imageWeights[level] / Double(terms.count)
        switch settings.method {
        case .pixpro:
            return consistencyLoss(
                query: query, key: key, positives: positives, imageWeight: weight, dialect: settings.dialect, pass)
        case .pixcontrast:
            return contrastLoss(
                query: query, key: key, positives: positives, imageWeight: weight, temperature: settings.temperature,
                pass)
        }
    }

    /// The matching cells of two views, for predictions of the first against targets of the second; by level.
    package func positives(query: Tensor, key: Tensor, imageSize: Int) -> [PositivePairs] {
        settings.levels.map { level in
            let cells = level.cells(imageSize)
            return PositivePairs(
                query: query, key: key, rows: cells, columns: cells, threshold: settings.threshold,
                inclusive: settings.dialect.thresholdIsInclusive)
        }
    }
}
