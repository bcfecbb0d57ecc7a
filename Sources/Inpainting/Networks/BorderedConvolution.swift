package import NeuralNetwork
package import TensorCore

/// A layer of the generator: twice the size by nearest neighbours where it is asked for, border, convolution, activation.
package struct BorderedConvolution {
    private let layer: ActivatedConvolution
    private let plan: ConvolutionPlan
    private let border: Border

    package init(_ scope: Scope, inputs: Int, _ plan: ConvolutionPlan, border: Border) {
        (self.plan, self.border) = (plan, border)
        layer = ActivatedConvolution(
            Convolution2D(
                scope, inputs: inputs, outputs: plan.outputs, kernel: plan.kernel, stride: plan.stride,
                padding: border == .zeros ? .same : .symmetric(0), dilation: plan.dilation, bias: true, start: .xavier),
            plan.activation)
    }

    /// x [N, H, W, inputs] → [N, ⌈H / stride⌉, ⌈W / stride⌉, outputs], of twice H and W where the plan enlarges.
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        var map = x
        if plan.enlarges {
            map = enlarge(map, height: 2 * x.value.shape[1], width: 2 * x.value.shape[2], pass)
        }
        if border == .mirrored {
            let zeros = map.value.shape[1...2].map {
                Convolution2D.Padding.same.zeros(
                    size: $0, kernel: plan.kernel, stride: plan.stride, dilation: plan.dilation)
            }
            precondition(zeros[0] == zeros[1], "sides of \(map.value.shape) would have different borders: \(zeros)")
            map = mirrorBorder(map, ReflectedBorder(before: zeros[0].before, after: zeros[0].after), pass)
        }
        return layer(map, pass)
    }
}

/// What a layer of the generator is.
package struct ConvolutionPlan: Sendable {
    package var outputs: Int
    package var kernel = 3
    package var stride = 1
    package var dilation = 1
    package var enlarges = false
    package var activation = Activation.exponentialLinear

    package init(_ outputs: Int) { self.outputs = outputs }

    package static func plain(_ outputs: Int) -> ConvolutionPlan { ConvolutionPlan(outputs) }

    package static func strided(_ outputs: Int) -> ConvolutionPlan {
        var plan = ConvolutionPlan(outputs)
        plan.stride = 2
        return plan
    }

    package static func dilated(_ outputs: Int, _ dilation: Int) -> ConvolutionPlan {
        var plan = ConvolutionPlan(outputs)
        plan.dilation = dilation
        return plan
    }

    package static func enlarging(_ outputs: Int) -> ConvolutionPlan {
        var plan = ConvolutionPlan(outputs)
        plan.enlarges = true
        return plan
    }

    package static func wide(_ outputs: Int) -> ConvolutionPlan {
        var plan = ConvolutionPlan(outputs)
        plan.kernel = 5
        return plan
    }

    package func activated(_ activation: Activation) -> ConvolutionPlan {
        var plan = self
        plan.activation = activation
        return plan
    }
}

/// Layers one after the other, `conv1`, `conv2`, ….
package struct ConvolutionChain {
    private let layers: [BorderedConvolution]
    package let outputs: Int

    /// - Parameter first: the number of the first layer.
    package init(_ scope: Scope, inputs: Int, _ plans: [ConvolutionPlan], first: Int = 1, border: Border) {
        var channels = inputs
        layers = plans.enumerated().map { index, plan in
            defer { channels = plan.outputs }
            return BorderedConvolution(
                scope.child("conv\(first + index)"), inputs: channels, plan, border: border)
        }
        outputs = channels
    }

    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable { layers.reduce(x) { $1($0, pass) } }
}
