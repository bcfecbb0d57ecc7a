package import NeuralNetwork
package import TensorCore

/// Momentum SGD whose step is scaled for each tensor by the ratio of its weights' norm to its gradient's.
///
/// For matrices and kernels: g ← g + λw; g ← g · η|w| / (|g| + 1e-8) where both norms are positive; v ← μv + g;
/// w ← w − lr·v. Vectors (normalisation, biases) take plain momentum SGD without decay. (You et al. 2017, in the form
/// of the published PixPro code: the decay enters the norm, the rate stays outside the momentum.)
/// Without a trust coefficient it is plain momentum SGD.
package final class LARS: Optimizer {
    package let parameters: [Parameter]
    /// The momentum buffers v, in the parameters' order and internal layout.
    package let velocities: [Tensor]
    private let momentum: Float
    private let rules: [ParameterRule]
    private let trustCoefficient: Double?

    package convenience init(
        _ parameters: [Parameter], momentum: Double = 0.9, weightDecay: Double = 1e-5,
        trustCoefficient: Double? = 0.001
    ) {
        self.init(
            parameters, momentum: momentum, trustCoefficient: trustCoefficient,
            rule: ParameterRule.decayingMatrices(weightDecay))
    }

    package init(
        _ parameters: [Parameter], momentum: Double = 0.9, trustCoefficient: Double?,
        rule: (Parameter) -> ParameterRule
    ) {
        self.parameters = parameters
        self.momentum = Float(momentum)
        self.trustCoefficient = trustCoefficient
        rules = parameters.map(rule)
        velocities = parameters.map { .zeros($0.value.shape) }
    }

    package var state: [(name: String, tensor: Tensor)] {
        zip(parameters, velocities).map { ("optimizer.velocity.\($0.name)", $1) }
    }

    package func update(learningRate: Double) {
        for ((parameter, velocity), rule) in zip(zip(parameters, velocities), rules) {
            guard let gradient = parameter.gradient else { continue }
            let trust = rule.isAdapted ? trustRatio(parameter.value, gradient, decay: rule.weightDecay) : 1
            gradient.momentumStep(
                weight: parameter.value, velocity: velocity, decay: Float(rule.weightDecay), scale: Float(trust),
                momentum: momentum, learningRate: Float(learningRate * rule.rateFactor))
        }
    }

    private func trustRatio(_ weight: Tensor, _ gradient: Tensor, decay: Double) -> Double {
        guard let trustCoefficient else { return 1 }
        let norms = gradient.norms(weight: weight, decay: decay)
        guard norms.weight > 0, norms.decayedGradient > 0 else { return 1 }
        return trustCoefficient * norms.weight / (norms.decayedGradient + 1e-8)
    }
}
