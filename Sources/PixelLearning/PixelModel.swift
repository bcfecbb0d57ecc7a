package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// What is learned from pixels.
package enum PixelMethod: String, Sendable, CaseIterable {
    /// Pixels agree with propagated pixels of the other view.
    case pixpro
    /// Pixels are told from those of other places in the other view.
    case pixcontrast
}

/// What shapes a model that learns from pixels, and its loss.
package struct PixelModelSettings: Sendable, Equatable {
    package var method = PixelMethod.pixpro
    package var instance = InstanceSettings()
    package var architecture = ResNetArchitecture.resnet50
    package var projectorWidth = 4096
    /// Channels that the projector makes and the propagation keeps: the paper's 256, fewer in small references.
    package var projectionChannels = 256
    package var transformLayers = 1
    package var gamma = 2.0
    package var clamp = 0.0
    package var threshold = 0.7
    /// Of PixContrast's cosines.
    package var temperature = 0.3
    package var dialect = Dialect.official
    /// What the encoders' and projectors' maps are stored as in training.
    package var elementType = ElementType.float32

    package init() {}

    /// Rows and columns of the map that views of this side become.
    package func cells(imageSize: Int) -> Int { architecture.top.cells(imageSize) }
}

/// PixPro or PixContrast (Xie et al., CVPR 2021), with an instance branch beside or without: an online network that
/// learns, and a momentum network that follows.
package final class PixelModel {
    package let settings: PixelModelSettings
    /// Everything that is trained, under the published names.
    package let online: ModelState
    /// The momentum networks' tensors: averages of the online ones, with statistics of their own.
    package let momentum: ModelState
    package let encoder: ResNet
    package let momentumEncoder: ResNet
    private let projector, momentumProjector: Projector
    /// Nil for PixContrast.
    private let propagation: PixelPropagation?
    private let instance: InstanceBranch?
    /// Empty between passes; kept for its memory.
    private let tape = Tape()
    /// Online parameters that the momentum parameters follow, in the same order.
    package let followed: [Parameter]

    package init(_ settings: PixelModelSettings, seed: UInt64) {
        self.settings = settings
        let online = ModelState(seed: seed), momentum = ModelState(seed: nil)
        (self.online, self.momentum) = (online, momentum)
        let root = Scope(online), twin = Scope(momentum)
        let width = settings.projectorWidth, projection = settings.projectionChannels
        encoder = ResNet(settings.architecture, root.child("encoder"))
        let channels = encoder.top.channels
        projector = Projector(root.child("projector"), inputs: channels, width: width, outputs: projection)
        propagation =
            settings.method == .pixpro
            ? PixelPropagation(
                root.child("value_transform"), channels: projection, layers: settings.transformLayers,
                gamma: settings.gamma, clamp: settings.clamp, dialect: settings.dialect) : nil
        momentumEncoder = ResNet(settings.architecture, twin.child("encoder_k"))
        momentumProjector = Projector(
            twin.child("projector_k"), inputs: channels, width: width, outputs: projection)
        instance =
            settings.instance.kind == .none
            ? nil
            : InstanceBranch(
                settings.instance, root, twin, inputs: channels, width: width, projection: projection)
        let followers = ["encoder.", "projector.", "projector_instance."]
        followed = online.parameters.filter { parameter in followers.contains { parameter.name.hasPrefix($0) } }
        for (target, source) in zip(momentum.parameters, followed) { target.value.copy(from: source.value) }
    }

    /// What the momentum network makes of a view, without gradient.
    package struct Target {
        /// Unit projections [N, H, W, projectionChannels].
        package let pixels: Tensor
        /// Unit vectors [N, projectionChannels]; nil without an instance branch.
        package let instances: Tensor?
    }

    /// The momentum network on a view [N, S, S, 3].
    package func target(
        _ view: Tensor, statistics: any StatisticsReducing, convolutions: Convolutions = Convolutions()
    ) throws -> Target {
        let pass = Pass(
            mode: .training, statistics: statistics, elementType: settings.elementType, convolutions: convolutions)
        return try Trace.span("momentum forward") {
            let features = try momentumEncoder(Variable(view), pass)
            return Target(
                pixels: normalizeRows(try momentumProjector(features, pass), pass).value,
                instances: try instance?.key(features, pass))
        }
    }

    /// What the online network makes of a view, stage by stage.
    package struct Prediction {
        package let features: Variable
        package let projection: Variable
        /// Before normalisation; nil for PixContrast.
        package let propagated: Variable?
        /// What the propagation weighs pixels with, [N, H·W, H·W]; nil for PixContrast.
        package let attention: Tensor?
        /// Unit vectors [N, projectionChannels]; nil without an instance branch.
        package let instances: Variable?
    }

    /// The online network on a view [N, S, S, 3].
    package func predict(_ view: Tensor, _ pass: Pass) throws -> Prediction {
        let features = try encoder(Variable(view), pass)
        let projection = try projector(features, pass)
        let propagated = try propagation?(projection, pass)
        return Prediction(
            features: features, projection: projection, propagated: propagated?.pixels,
            attention: propagated?.weights, instances: try instance?.query(features, pass))
    }

    /// What one direction is compared with, and how much each image counts in the mean over a step's.
    package struct Direction {
        /// The momentum network's unit projections of the other view.
        package let target: Tensor
        package let positives: PositivePairs
        /// 1 / the images of which the pixels' loss is the mean, on all ranks.
        package let imageWeight: Double
        /// Nil without an instance branch.
        package let keys: InstanceKeys?
        /// The same for the instances' loss.
        package let instanceWeight: Double

        package init(
            target: Tensor, positives: PositivePairs, imageWeight: Double, keys: InstanceKeys? = nil,
            instanceWeight: Double = 0
        ) {
            (self.target, self.positives, self.imageWeight) = (target, positives, imageWeight)
            (self.keys, self.instanceWeight) = (keys, instanceWeight)
        }
    }

    /// This rank's part of the losses of one direction.
    package struct Losses {
        package let pixel: Double
        /// Without its weight; 0 without an instance branch.
        package let instance: Double
        /// How evenly the propagation spreads its weights: 0 where each pixel looks at one other, 1 where it looks at all
        /// alike. Nil where it was not asked for, and without a propagation.
        package let attentionEntropy: Double?
    }

    /// Forward and backward of one of the two directions: what the network makes of `view` against the other view's
    /// target.
    package func learn(
        view: Tensor, _ direction: Direction, measuresAttention: Bool = false, statistics: any StatisticsReducing,
        convolutions: Convolutions = Convolutions(), onGradientReady: ((Parameter) throws -> Void)?
    ) throws -> Losses {
        let pass = Pass(
            mode: .training, tape: tape, statistics: statistics, elementType: settings.elementType,
            convolutions: convolutions)
        let prediction = try Trace.span("forward") { try predict(view, pass) }
        // Before the backward, which lets go of the weights.
        let entropy = measuresAttention ? prediction.attention.map(Self.entropy) : nil
        let pixel = pixelLoss(prediction, direction, pass)
        var total = pixel.variable, instanceLoss = 0.0
        if let instance, let query = prediction.instances, let keys = direction.keys {
            let part = instance.loss(query: query, keys: keys, imageWeight: direction.instanceWeight, pass)
            instanceLoss = part.loss
            total = add(total, part.variable, weight: Float(settings.instance.weight), pass)
        }
        try Trace.span("backward") {
            try tape.backward(from: total, seed: Tensor([1], [1]), onGradientReady: onGradientReady)
        }
        return Losses(pixel: pixel.loss, instance: instanceLoss, attentionEntropy: entropy)
    }

    private func pixelLoss(
        _ prediction: Prediction, _ direction: Direction, _ pass: Pass
    ) -> (loss: Double, variable: Variable) {
        let query = normalizeRows(prediction.propagated ?? prediction.projection, pass)
        switch settings.method {
        case .pixpro:
            return consistencyLoss(
                query: query, key: direction.target, positives: direction.positives,
                imageWeight: direction.imageWeight, dialect: settings.dialect, pass)
        case .pixcontrast:
            return contrastLoss(
                query: query, key: direction.target, positives: direction.positives,
                imageWeight: direction.imageWeight, temperature: settings.temperature, pass)
        }
    }

    /// A pixel alone looks at one.
    private static func entropy(_ weights: Tensor) -> Double { weights.shape[2] > 1 ? weights.meanRowEntropy() : 0 }

    /// The matching cells of two views, for predictions of the first against targets of the second.
    package func positives(query: Tensor, key: Tensor, imageSize: Int) -> PositivePairs {
        let cells = settings.cells(imageSize: imageSize)
        return PositivePairs(
            query: query, key: key, rows: cells, columns: cells, threshold: settings.threshold,
            inclusive: settings.dialect.thresholdIsInclusive)
    }
}
