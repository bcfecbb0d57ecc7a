import TensorCore

/// A convolution over NHWC maps, with square kernels and optional bias.
package final class Convolution2D {
    package let weight: Parameter
    package let bias: Parameter?
    let stride: Int
    let padding: Padding
    let dilation: Int

    /// How weights and bias start.
    package enum Start: Sendable {
        /// He's fan-out; the bias as `pytorchDefault`.
        case residualNetwork
        /// As PyTorch's `Conv2d` does by default.
        case pytorchDefault
        /// Uniform in ±√(3 / fan-in), the bias 0: pyramids without normalisation.
        case xavierFill
        /// Uniform in ±√(6 / (fan-in + fan-out)) (Glorot and Bengio 2010), the bias 0.
        case xavier
        /// N(0, deviation²), the bias 0: detectors' heads.
        case normal(deviation: Double)
    }

    /// Zeros about the map.
    package enum Padding: Sendable {
        /// So many on each side.
        case symmetric(Int)
        /// As few as give ⌈size / stride⌉ outputs, an odd one behind the map (TensorFlow's SAME).
        case same

        /// Along an axis.
        package func zeros(size: Int, kernel: Int, stride: Int, dilation: Int) -> (before: Int, after: Int) {
            switch self {
            case .symmetric(let count): return (count, count)
            case .same:
                let outputs = (size + stride - 1) / stride
                let total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
                return (total / 2, total - total / 2)
            }
        }
    }

    package convenience init(
        _ scope: Scope, inputs: Int, outputs: Int, kernel: Int = 1, stride: Int = 1, padding: Int = 0,
        dilation: Int = 1, bias: Bool = false, start: Start = .residualNetwork
    ) {
        self.init(
            scope, inputs: inputs, outputs: outputs, kernel: kernel, stride: stride, padding: .symmetric(padding),
            dilation: dilation, bias: bias, start: start)
    }

    package init(
        _ scope: Scope, inputs: Int, outputs: Int, kernel: Int, stride: Int = 1, padding: Padding, dilation: Int = 1,
        bias: Bool, start: Start
    ) {
        let shape = [outputs, kernel, kernel, inputs]
        weight = scope.parameter("weight", shape, start.weights(shape))
        self.bias = bias ? scope.parameter("bias", [outputs], start.bias(shape)) : nil
        (self.stride, self.padding, self.dilation) = (stride, padding, dilation)
    }

    /// y = x ∗ w + b: x [N, H, W, inputs] → [N, H', W', outputs].
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        let (output, _) = run(x, gatherMoments: false, pass)
        if let bias { output.addToRows(bias.value) }
        return pass.output(output, of: [x], [weight] + (bias.map { [$0] } ?? [])) { [self] dy in
            bias?.accumulate { gradient, beta in dy.columnSums(into: gradient, beta: beta) }
            backward(x, outputGradient: ReadMap(dy), pass)
        }
    }

    /// x ∗ w, with the moments of its columns (as `Tensor.columnMoments`) gathered while it is in cache, if asked for; an x
    /// that nobody has read yet is written on the way.
    func run(_ x: Variable, gatherMoments: Bool, _ pass: Pass) -> (output: Tensor, moments: Accumulators?) {
        let geometry = geometry(of: x.shape), output = Tensor(geometry.outputShape, x.elementType)
        let moments = pass.convolutions.forward(
            geometry, input: x.readMap(), weight: weight.value, output: output, gatherMoments: gatherMoments)
        return (output, moments)
    }

    /// Gives weights and input their contributions. Where this is the last to contribute to the input's gradient, what the
    /// input's operation wants of that is summed on the way.
    func backward(_ x: Variable, outputGradient: ReadMap, _ pass: Pass) {
        let input = x.readMap(), moments = x.readers == 1 ? x.gradientMoments : nil
        func run(_ weightGradient: GradientTarget?, _ inputGradient: GradientTarget?) {
            let total = pass.convolutions.backward(
                geometry(of: x.shape), outputGradient: outputGradient, input: input, weight: weight.value,
                weightGradient: weightGradient, inputGradient: inputGradient, sums: moments?.sums)
            moments?.keep(total)
        }
        func runForInput(_ weightGradient: GradientTarget?) {
            x.accumulate { run(weightGradient, GradientTarget($0, accumulates: $1)) }
        }
        switch (weight.needsGradient, x.needsGradient) {
        case (true, true): weight.accumulate { runForInput(GradientTarget($0, accumulates: $1 == 1)) }
        case (true, false): weight.accumulate { run(GradientTarget($0, accumulates: $1 == 1), nil) }
        case (false, true): runForInput(nil)
        case (false, false): break
        }
    }

    func geometry(of shape: [Int]) -> ConvolutionGeometry {
        precondition(
            shape.count == 4 && shape[3] == weight.value.shape[3],
            "convolution of \(shape) by \(weight.name) \(weight.value.shape)")
        let kernel = weight.value.shape[1]
        let zeros = shape[1...2].map { padding.zeros(size: $0, kernel: kernel, stride: stride, dilation: dilation) }
        precondition(zeros[0] == zeros[1], "\(weight.name) would pad the sides of \(shape) differently: \(zeros)")
        return ConvolutionGeometry(
            batch: shape[0], height: shape[1], width: shape[2], inputChannels: shape[3],
            outputChannels: weight.value.shape[0], kernel: kernel, stride: stride, padding: zeros[0].before,
            paddingAfter: zeros[0].after, dilation: dilation)
    }
}
