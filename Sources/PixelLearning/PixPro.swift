import NeuralNetwork
import TensorCore

/// What shapes a PixPro model.
public struct PixProSettings: Sendable, Equatable {
    public var architecture = ResNetArchitecture.resnet50
    public var projectorWidth = 4096
    /// Channels that the projector makes and the propagation keeps: the paper's 256, fewer in small references.
    public var projectionChannels = 256
    public var transformLayers = 1
    public var gamma = 2.0
    public var clamp = 0.0
    public var threshold = 0.7
    public var dialect = Dialect.official
    /// What the encoders' and projectors' maps are stored as in training.
    public var elementType = ElementType.float32

    public init() {}
}

/// 1×1 convolution, normalisation, rectifier, 1×1 convolution to the projection; both convolutions have a bias.
public final class Projector {
    private let linear1, linear2: Convolution2D
    private let bn1: BatchNormalization

    public init(_ scope: Scope, inputs: Int, width: Int, outputs: Int) {
        linear1 = Convolution2D(
            scope.child("linear1"), inputs: inputs, outputs: width, bias: true, start: .pytorchDefault)
        bn1 = BatchNormalization(scope.child("bn1"), channels: width)
        linear2 = Convolution2D(
            scope.child("linear2"), inputs: width, outputs: outputs, bias: true, start: .pytorchDefault)
    }

    /// C5 [N, H, W, C] → float32 [N, H, W, outputs].
    public func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        cast(linear2(try bn1(linear1(x, pass), rectify: true, pass), pass), to: .float32, pass)
    }
}

/// PixPro (Xie et al., CVPR 2021): an online encoder, projector and propagation module that learn, and a momentum
/// encoder and projector that follow.
public final class PixPro {
    public let settings: PixProSettings
    /// Everything that is trained, under the published names.
    public let online: ModelState
    /// The momentum encoder's and projector's tensors: averages of the online ones, with statistics of their own.
    public let momentum: ModelState
    public let encoder: ResNet
    public let momentumEncoder: ResNet
    private let projector, momentumProjector: Projector
    private let propagation: PixelPropagation
    /// Empty between passes; kept for its memory.
    private let tape = Tape()
    /// Online parameters that the momentum parameters follow, in the same order.
    private let followed: [Parameter]

    public init(_ settings: PixProSettings, seed: UInt64) {
        self.settings = settings
        online = ModelState(seed: seed)
        momentum = ModelState(seed: nil)
        let root = Scope(online), twin = Scope(momentum)
        let width = settings.projectorWidth, projection = settings.projectionChannels
        let channels = settings.architecture.outputChannels
        encoder = ResNet(settings.architecture, root.child("encoder"))
        projector = Projector(root.child("projector"), inputs: channels, width: width, outputs: projection)
        followed = online.parameters
        propagation = PixelPropagation(
            root.child("value_transform"), channels: projection, layers: settings.transformLayers,
            gamma: settings.gamma, clamp: settings.clamp, dialect: settings.dialect)
        momentumEncoder = ResNet(settings.architecture, twin.child("encoder_k"))
        momentumProjector = Projector(
            twin.child("projector_k"), inputs: channels, width: width, outputs: projection)
        for (target, source) in zip(momentum.parameters, followed) { target.value.copy(from: source.value) }
    }

    /// θ_k ← m θ_k + (1 − m) θ_q over parameters; statistics are not averaged.
    public func updateMomentumEncoder(_ m: Double) {
        for (target, source) in zip(momentum.parameters, followed) {
            target.value.moveTowards(source.value, momentum: m)
        }
    }

    /// The momentum encoder's unit projection of a view: [N, S, S, 3] → [N, H, W, projectionChannels], without gradient.
    public func target(
        _ view: Tensor, statistics: any StatisticsReducing, convolutions: Convolutions = Convolutions()
    ) throws -> Tensor {
        let pass = Pass(
            mode: .training, statistics: statistics, elementType: settings.elementType, convolutions: convolutions)
        let projected = try Trace.span("momentum forward") {
            try momentumProjector(momentumEncoder(Variable(view), pass), pass)
        }
        return normalizeRows(projected, pass).value
    }

    /// What the online network makes of a view, stage by stage.
    public struct Prediction {
        public let features: Variable
        public let projection: Variable
        public let propagated: Variable
    }

    /// The online network on a view [N, S, S, 3]: C5, projection and propagated pixels (before normalisation).
    public func predict(_ view: Tensor, _ pass: Pass) throws -> Prediction {
        let features = try encoder(Variable(view), pass)
        let projection = try projector(features, pass)
        return Prediction(features: features, projection: projection, propagated: try propagation(projection, pass))
    }

    /// Forward and backward of one of the two directions: the prediction from `view` against `target`, the momentum
    /// projection of the other view. Returns this rank's part of the loss.
    ///
    /// `imageWeight` is 1 / the images that the step's gradient averages over, on all ranks.
    public func learn(
        view: Tensor, target: Tensor, positives: PositivePairs, imageWeight: Double,
        statistics: any StatisticsReducing, convolutions: Convolutions = Convolutions(),
        onGradientReady: ((Parameter) throws -> Void)?
    ) throws -> Double {
        let pass = Pass(
            mode: .training, tape: tape, statistics: statistics, elementType: settings.elementType,
            convolutions: convolutions)
        let query = try Trace.span("forward") { normalizeRows(try predict(view, pass).propagated, pass) }
        let (loss, variable) = consistencyLoss(
            query: query, key: target, positives: positives, imageWeight: imageWeight, dialect: settings.dialect, pass)
        try Trace.span("backward") {
            try tape.backward(from: variable, seed: Tensor([1], [1]), onGradientReady: onGradientReady)
        }
        return loss
    }

    /// The matching cells of two views, for predictions of the first against targets of the second.
    public func positives(query: Tensor, key: Tensor, imageSize: Int) -> PositivePairs {
        let cells = (imageSize + 31) / 32
        return PositivePairs(
            query: query, key: key, rows: cells, columns: cells, threshold: settings.threshold,
            inclusive: settings.dialect.thresholdIsInclusive)
    }
}
