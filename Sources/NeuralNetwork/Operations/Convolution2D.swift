import TensorCore

/// A convolution over NHWC maps, with square kernels and optional bias.
package final class Convolution2D {
    package let weight: Parameter
    package let bias: Parameter?
    let stride: Int
    let padding: Int
    let dilation: Int
    let groups: Int

    /// ResNet's convolutions start by He's fan-out without bias; the others as PyTorch's `Conv2d` does by default.
    package enum Start: Sendable { case residualNetwork, pytorchDefault }

    package init(
        _ scope: Scope, inputs: Int, outputs: Int, kernel: Int = 1, stride: Int = 1, padding: Int = 0,
        dilation: Int = 1, groups: Int = 1, bias: Bool = false, start: Start = .residualNetwork
    ) {
        let fanIn = kernel * kernel * inputs / groups
        weight = scope.parameter(
            "weight", [outputs, kernel, kernel, inputs / groups],
            start == .residualNetwork ? .fanOut(kernel: kernel, outputs: outputs) : .fanIn(fanIn))
        self.bias = bias ? scope.parameter("bias", [outputs], .fanIn(fanIn)) : nil
        (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
    }

    /// y = x ∗ w + b: x [N, H, W, inputs] → [N, H', W', outputs].
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        let (output, _) = run(x.value, gatherMoments: false, pass)
        if let bias { output.addToRows(bias.value) }
        return pass.output(output, of: [x], [weight] + (bias.map { [$0] } ?? [])) { [self] dy in
            bias?.accumulate { gradient, beta in dy.columnSums(into: gradient, beta: beta) }
            backward(x, outputGradient: dy, pass)
        }
    }

    /// x ∗ w, with the moments of its columns (as `Tensor.columnMoments`) gathered while it is in cache, if asked for.
    func run(_ x: Tensor, gatherMoments: Bool, _ pass: Pass) -> (output: Tensor, moments: Accumulators?) {
        let geometry = geometry(of: x.shape)
        let output = Tensor(geometry.outputShape, x.elementType)
        let moments = pass.convolutions.forward(
            geometry, input: x, weight: weight.value, output: output, gatherMoments: gatherMoments)
        return (output, moments)
    }

    /// Gives weights and input their contributions.
    func backward(_ x: Variable, outputGradient dy: Tensor, _ pass: Pass) {
        let geometry = geometry(of: x.value.shape)
        weight.accumulate { gradient, beta in
            pass.convolutions.backwardWeights(
                geometry, input: x.value, outputGradient: dy, weightGradient: gradient, accumulate: beta == 1)
        }
        x.accumulate { gradient, accumulate in
            pass.convolutions.backwardData(
                geometry, outputGradient: dy, weight: weight.value, inputGradient: gradient, accumulate: accumulate)
        }
    }

    private func geometry(of shape: [Int]) -> ConvolutionGeometry {
        precondition(
            shape.count == 4 && shape[3] == weight.value.shape[3] * groups,
            "convolution of \(shape) by \(weight.name) \(weight.value.shape) in \(groups) groups")
        return ConvolutionGeometry(
            batch: shape[0], height: shape[1], width: shape[2], inputChannels: shape[3],
            outputChannels: weight.value.shape[0], kernel: weight.value.shape[1], stride: stride, padding: padding,
            dilation: dilation, groups: groups)
    }
}
