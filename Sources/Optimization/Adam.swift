import Glibc
package import NeuralNetwork
package import TensorCore

/// Adam (Kingma and Ba 2015) in PyTorch's form: moments corrected for their start at zero, ε added after the correction.
///
/// g ← g + λw; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; w ← w − lr · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε).
package final class Adam: Optimizer {
    package let parameters: [Parameter]
    /// The moments m and v, in the parameters' order and internal layout.
    package let firstMoments, secondMoments: [Tensor]
    /// Updates done, t.
    package private(set) var updates = 0
    private let beta1, beta2, epsilon: Double
    private let rules: [ParameterRule]

    package init(
        _ parameters: [Parameter], beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
        rule: (Parameter) -> ParameterRule = { _ in ParameterRule(weightDecay: 0) }
    ) {
        self.parameters = parameters
        (self.beta1, self.beta2, self.epsilon) = (beta1, beta2, epsilon)
        rules = parameters.map(rule)
        firstMoments = parameters.map { .zeros($0.value.shape) }
        secondMoments = parameters.map { .zeros($0.value.shape) }
    }

    package var state: [(name: String, tensor: Tensor)] {
        zip(parameters, firstMoments).map { ("optimizer.firstMoment.\($0.name)", $1) }
            + zip(parameters, secondMoments).map { ("optimizer.secondMoment.\($0.name)", $1) }
    }

    package var counters: [String: Int] {
        get { parameters.first.map { ["optimizer.updates.\($0.name)": updates] } ?? [:] }
        set { updates = newValue.values.first ?? updates }
    }

    package func update(learningRate: Double) {
        updates += 1
        let correction1 = 1 - pow(beta1, Double(updates)), correction2 = 1 - pow(beta2, Double(updates))
        for (index, parameter) in parameters.enumerated() {
            guard let gradient = parameter.gradient else { continue }
            gradient.adamStep(
                weight: parameter.value, firstMoment: firstMoments[index], secondMoment: secondMoments[index],
                decay: Float(rules[index].weightDecay), beta1: Float(beta1), beta2: Float(beta2),
                rate: Float(learningRate * rules[index].rateFactor / correction1),
                inverseRoot: Float(1 / correction2.squareRoot()), epsilon: Float(epsilon))
        }
    }
}
