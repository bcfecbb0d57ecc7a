import NeuralNetwork
import TensorCore

/// Momentum SGD whose step is scaled for each tensor by the ratio of its weights' norm to its gradient's.
///
/// For matrices and kernels: g ← g + λw; g ← g · η|w| / (|g| + 1e-8) where both norms are positive; v ← μv + g;
/// w ← w − lr·v. Vectors (normalisation, biases) take plain momentum SGD without decay. (You et al. 2017, in the form
/// of the published PixPro code: the decay enters the norm, the rate stays outside the momentum.)
/// Without a trust coefficient it is plain momentum SGD.
public final class LARS {
    public let parameters: [Parameter]
    /// The momentum buffers v, in the parameters' order and internal layout.
    public let velocities: [Tensor]
    private let momentum: Float
    private let weightDecay: Double
    private let trustCoefficient: Double?

    public init(
        _ parameters: [Parameter], momentum: Double = 0.9, weightDecay: Double = 1e-5,
        trustCoefficient: Double? = 0.001
    ) {
        self.parameters = parameters
        self.momentum = Float(momentum)
        self.weightDecay = weightDecay
        self.trustCoefficient = trustCoefficient
        velocities = parameters.map { .zeros($0.value.shape) }
    }

    /// One update from the parameters' gradients, which are left as they are.
    public func update(learningRate: Double) {
        for (parameter, velocity) in zip(parameters, velocities) {
            guard let gradient = parameter.gradient else { continue }
            let decay = parameter.isVector ? 0 : weightDecay
            gradient.momentumStep(
                weight: parameter.value, velocity: velocity, decay: Float(decay),
                scale: Float(parameter.isVector ? 1 : trustRatio(parameter.value, gradient, decay: decay)),
                momentum: momentum, learningRate: Float(learningRate))
        }
    }

    private func trustRatio(_ weight: Tensor, _ gradient: Tensor, decay: Double) -> Double {
        guard let trustCoefficient else { return 1 }
        let norms = gradient.norms(weight: weight, decay: decay)
        guard norms.weight > 0, norms.decayedGradient > 0 else { return 1 }
        return trustCoefficient * norms.weight / (norms.decayedGradient + 1e-8)
    }
}
