package import TensorCore

/// A convolution with bias and the activation behind it, as one operation: y = a(x ∗ w + b).
///
/// The sum is nobody else's: the activation takes its place, and tells its slopes from what it gave.
package struct ActivatedConvolution {
    package let convolution: Convolution2D
    package let activation: Activation

    package init(_ convolution: Convolution2D, _ activation: Activation) {
        precondition(convolution.bias != nil, "\(convolution.weight.name) has no bias")
        (self.convolution, self.activation) = (convolution, activation)
    }

    /// x [N, H, W, inputs] → [N, H', W', outputs].
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        let output = convolution.run(x, gatherMoments: false, pass).output, bias = convolution.bias!
        output.activate(activation, addingToRows: bias.value)
        return pass.output(output, of: [x], [convolution.weight, bias]) { [self] dy in
            output.scaleBySlope(of: activation, dy)
            bias.accumulate { gradient, beta in dy.columnSums(into: gradient, beta: beta) }
            convolution.backward(x, outputGradient: ReadMap(dy), pass)
        }
    }

    /// The gradient for the input of one for `output`, which this layer gave for an input of `shape`, as operations that
    /// have a way back. The activation must be made of straight pieces: its slopes are constant.
    package func inputGradient(_ dy: Variable, output: Tensor, shape: [Int], _ pass: Pass) -> Variable {
        convolution.inputGradient(scaleBySlope(dy, of: activation, output: output, pass), shape: shape, pass)
    }
}

extension Convolution2D {
    /// The gradient for the input, of `shape`, of one for the output, as an operation that has a way back.
    ///
    /// dx = dy ∗ᵀ w is linear in both: of a gradient g of dx, the convolution of g is that of dy, and the weights' gradient
    /// is that of a convolution whose input is g and whose output's gradient is dy.
    package func inputGradient(_ dy: Variable, shape: [Int], _ pass: Pass) -> Variable {
        let geometry = geometry(of: shape), dx = Tensor(shape, dy.value.elementType)
        pass.convolutions.backwardData(
            geometry, outputGradient: dy.value, weight: weight.value, inputGradient: dx, accumulate: false)
        return pass.output(dx, of: [dy], [weight]) { [self] gradient in
            weight.accumulate { target, beta in
                pass.convolutions.backwardWeights(
                    geometry, input: gradient, outputGradient: dy.value, weightGradient: target, accumulate: beta == 1)
            }
            guard dy.needsGradient else { return }
            dy.receive(run(Variable(gradient), gatherMoments: false, pass).output)
        }
    }
}

/// dy ⊙ a′, the slopes being those of an activation that gave `output`; with a way back to dy, for activations of
/// straight pieces alone.
package func scaleBySlope(_ dy: Variable, of activation: Activation, output: Tensor, _ pass: Pass) -> Variable {
    precondition(activation != .exponentialLinear, "the slopes of an exponential are not constant")
    let scaled = dy.value.copy()
    output.scaleBySlope(of: activation, scaled)
    return pass.output(scaled, of: [dy]) { gradient in
        output.scaleBySlope(of: activation, gradient)
        dy.receive(gradient)
    }
}
