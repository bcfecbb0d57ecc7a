import TensorCore

/// A fully connected layer: x [N, inputs] → x · wᵀ + b [N, outputs].
package final class Linear {
    package let weight: Parameter
    package let bias: Parameter

    /// How weights and bias start.
    package enum Start: Sendable {
        /// As PyTorch's `Linear` does by default.
        case pytorchDefault
        /// Uniform in ±√(6 / (inputs + outputs)) (Glorot and Bengio 2010), the bias 0.
        case xavier
    }

    package init(_ scope: Scope, inputs: Int, outputs: Int, start: Start = .pytorchDefault) {
        let (weights, biases): (Initialization, Initialization) =
            switch start {
            case .pytorchDefault: (.fanIn(inputs), .fanIn(inputs))
            case .xavier: (.uniform(bound: (6 / Double(inputs + outputs)).squareRoot()), .constant(0))
            }
        weight = scope.parameter("weight", [outputs, inputs], weights)
        bias = scope.parameter("bias", [outputs], biases)
    }

    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        let (rows, outputs) = (x.value.shape[0], weight.value.shape[0])
        let output = Tensor([rows, outputs])
        output.product(x.value, weight.value, transposeB: true)
        output.addToRows(bias.value)
        return pass.output(output, of: [x], [weight, bias]) { [weight, bias] dy in
            weight.accumulate { gradient, beta in gradient.product(dy, x.value, transposeA: true, beta: beta) }
            bias.accumulate { gradient, beta in dy.columnSums(into: gradient, beta: beta) }
            guard x.needsGradient else { return }
            let dx = Tensor(x.value.shape)
            dx.product(dy, weight.value)
            x.receive(dx)
        }
    }

    /// The gradient for the input of one for the output, as an operation that has a way back: dy [N, outputs] → dy · w
    /// [N, inputs]. It is linear in both.
    package func inputGradient(_ dy: Variable, _ pass: Pass) -> Variable {
        let dx = Tensor([dy.value.shape[0], weight.value.shape[1]])
        dx.product(dy.value, weight.value)
        return pass.output(dx, of: [dy], [weight]) { [weight] gradient in
            weight.accumulate { target, beta in target.product(dy.value, gradient, transposeA: true, beta: beta) }
            guard dy.needsGradient else { return }
            let second = Tensor(dy.value.shape)
            second.product(gradient, weight.value, transposeB: true)
            dy.receive(second)
        }
    }
}
