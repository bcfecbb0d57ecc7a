import NeuralNetwork
import TensorCore
import TestSupport

/// One operation or layer: what it computes, on what, and how exactly its gradient must agree with finite differences.
struct OperationCase: Sendable, CustomStringConvertible {
    let description: String
    let inputShape: [Int]
    /// Of the gradient, against finite differences.
    var tolerance = 5e-3
    /// Whether maps of bfloat16 are allowed.
    var takesBFloat16 = true
    /// Builds the operation over fresh parameters; called once for each check.
    let make: @Sendable (ModelState) -> (Variable, Pass) throws -> Variable
    /// The same by plain loops in double precision: numbers of the input and of the parameters in their order.
    let twin: @Sendable (_ x: Grid, _ parameters: [[Double]]) -> [Double]
}

/// All operations that have a gradient.
let operations: [OperationCase] =
    convolutions + normalizations + poolings + pointwise + denseOperations + generatorOperations + losses

private func convolution(
    _ description: String, _ shape: [Int], outputs: Int, kernel: Int, stride: Int = 1, padding: Int = 0,
    dilation: Int = 1, bias: Bool = false
) -> OperationCase {
    OperationCase(description: "convolution \(description)", inputShape: shape) { state in
        let layer = Convolution2D(
            Scope(state), inputs: shape[3], outputs: outputs, kernel: kernel, stride: stride, padding: padding,
            dilation: dilation, bias: bias)
        return { layer($0, $1) }
    } twin: { x, parameters in
        x.convolved(
            parameters[0], bias: bias ? parameters[1] : nil, outputs: outputs, kernel: kernel, stride: stride,
            padding: padding, dilation: dilation
        ).numbers
    }
}

private let convolutions = [
    convolution("1×1", [2, 3, 5, 6], outputs: 7, kernel: 1),
    convolution("1×1 stride 2", [3, 5, 4, 16], outputs: 16, kernel: 1, stride: 2),
    convolution("3×3 with bias", [2, 5, 4, 3], outputs: 4, kernel: 3, padding: 1, bias: true),
    convolution("3×3 of whole registers", [2, 6, 7, 16], outputs: 32, kernel: 3, padding: 1),
    convolution("3×3 stride 2", [2, 7, 6, 5], outputs: 6, kernel: 3, stride: 2, padding: 1),
    convolution("3×3 dilation 2", [1, 7, 6, 4], outputs: 5, kernel: 3, padding: 2, dilation: 2),
    convolution("5×5 stride 2", [1, 9, 7, 3], outputs: 4, kernel: 5, stride: 2, padding: 2),
    convolution("7×7 stride 2 on colours", [2, 11, 9, 3], outputs: 8, kernel: 7, stride: 2, padding: 3),
]

private func start(_ layer: BatchNormalization) {
    layer.scale.value.copy(from: randomTensor(layer.scale.value.shape, key: 11))
    layer.shift.value.copy(from: randomTensor(layer.shift.value.shape, key: 12))
}

private let keptStatistics = (0..<5).map { (mean: 0.2 * Double($0) - 0.3, variance: 0.5 + Double($0)) }

private let normalizations: [OperationCase] = [
    .init(description: "batch normalisation", inputShape: [3, 4, 4, 5]) { state in
        let layer = BatchNormalization(Scope(state), channels: 5)
        start(layer)
        return { try layer($0, $1) }
    } twin: { x, parameters in
        x.normalized(scale: parameters[0], shift: parameters[1]).numbers
    },
    .init(description: "batch normalisation, residual and rectifier", inputShape: [3, 4, 4, 5], tolerance: 3e-2) {
        state in
        let layer = BatchNormalization(Scope(state), channels: 5)
        start(layer)
        return { try layer($0, residual: $0, rectify: true, $1) }
    } twin: { x, parameters in
        zip(x.normalized(scale: parameters[0], shift: parameters[1]).numbers, x.numbers).map { max($0 + $1, 0) }
    },
    .init(description: "kept normalisation, residual and rectifier", inputShape: [3, 4, 4, 5], tolerance: 3e-2) {
        state in
        let layer = BatchNormalization(Scope(state), channels: 5)
        start(layer)
        layer.keepsStatistics = true
        for (c, statistic) in keptStatistics.enumerated() {
            layer.running.mean.floats[c] = Float(statistic.mean)
            layer.running.variance.floats[c] = Float(statistic.variance)
        }
        return { try layer($0, residual: $0, rectify: true, $1) }
    } twin: { x, parameters in
        x.numbers.enumerated().map { place, value in
            let c = place % 5, statistic = keptStatistics[c]
            let unit = (value - statistic.mean) / (statistic.variance + 1e-5).squareRoot()
            return max(unit * parameters[0][c] + parameters[1][c] + value, 0)
        }
    },
    .init(description: "normalised convolution", inputShape: [3, 6, 5, 4], tolerance: 3e-2) { state in
        let layer = NormalizedConvolution(
            Convolution2D(Scope(state), inputs: 4, outputs: 6, kernel: 3, padding: 1),
            BatchNormalization(Scope(state, path: "n"), channels: 6))
        start(layer.normalization)
        return { try layer($0, rectify: true, $1) }
    } twin: { x, parameters in
        x.convolved(parameters[0], bias: nil, outputs: 6, kernel: 3, stride: 1, padding: 1, dilation: 1)
            .normalized(scale: parameters[1], shift: parameters[2]).numbers.map { max($0, 0) }
    },
    .init(description: "row normalisation", inputShape: [6, 8], takesBFloat16: false) { _ in
        { normalizeRows($0, $1) }
    } twin: { x, _ in
        x.rows.flatMap { row in row.map { $0 / max(row.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-12) } }
    },
]

private let poolings: [OperationCase] = [
    .init(description: "maximum pooling", inputShape: [2, 7, 6, 3], tolerance: 3e-2) { _ in
        { maxPool($0, kernel: 3, stride: 2, padding: 1, $1) }
    } twin: { x, _ in
        x.pooled(kernel: 3, stride: 2, padding: 1).numbers
    },
    .init(description: "global average pooling", inputShape: [2, 3, 4, 5]) { _ in
        { globalAveragePool($0, $1) }
    } twin: { x, _ in
        let (images, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        return (0..<images * channels).map { place in
            let (image, channel) = place.quotientAndRemainder(dividingBy: channels)
            return (0..<pixels).reduce(0) { $0 + x.numbers[(image * pixels + $1) * channels + channel] }
                / Double(pixels)
        }
    },
]

private let pointwise: [OperationCase] = [
    .init(description: "rectifier", inputShape: [4, 9], tolerance: 3e-2) { _ in
        { rectify($0, $1) }
    } twin: { x, _ in
        x.numbers.map { max($0, 0) }
    },
    .init(description: "sum of a value with itself", inputShape: [4, 9]) { _ in
        { add($0, $0, $1) }
    } twin: { x, _ in
        x.numbers.map { 2 * $0 }
    },
    .init(description: "weighted sum of losses", inputShape: [1], takesBFloat16: false) { _ in
        { add($0, $0, weight: 0.5, $1) }
    } twin: { x, _ in
        x.numbers.map { 1.5 * $0 }
    },
    .init(description: "another shape", inputShape: [4, 9]) { _ in
        { reshape($0, [2, 3, 6], $1) }
    } twin: { x, _ in
        x.numbers
    },
    .init(description: "cast and back", inputShape: [4, 9], tolerance: 0.2) { _ in
        { cast(cast($0, to: .float32, $1), to: $0.value.elementType, $1) }
    } twin: { x, _ in
        x.numbers
    },
    .init(description: "linear", inputShape: [5, 7], takesBFloat16: false) { state in
        let layer = Linear(Scope(state), inputs: 7, outputs: 3)
        return { layer($0, $1) }
    } twin: { x, parameters in
        x.rows.flatMap { row in
            (0..<3).map { output in
                zip(row, parameters[0][output * 7..<output * 7 + 7]).reduce(parameters[1][output]) { $0 + $1.0 * $1.1 }
            }
        }
    },
]
