import TensorCore

/// A fully connected layer: x [N, inputs] → x · wᵀ + b [N, outputs].
package final class Linear {
    package let weight: Parameter
    package let bias: Parameter

    package init(_ scope: Scope, inputs: Int, outputs: Int) {
        weight = scope.parameter("weight", [outputs, inputs], .fanIn(inputs))
        bias = scope.parameter("bias", [outputs], .fanIn(inputs))
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
}
