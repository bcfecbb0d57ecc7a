import Glibc
import NeuralNetwork
import TensorCore
import TestSupport

extension Activation {
    /// In double precision.
    fileprivate func plain(_ x: Double) -> Double {
        switch self {
        case .identity: x
        case .rectifier: max(x, 0)
        case .exponentialLinear: x > 0 ? x : exp(x) - 1
        case .leakyRectifier(let slope): x > 0 ? x : x * Double(slope)
        }
    }
}

private func activation(_ activation: Activation) -> OperationCase {
    OperationCase(description: "activation \(activation)", inputShape: [4, 9], tolerance: 3e-2) { _ in
        { activate($0, activation, $1) }
    } twin: { x, _ in
        x.numbers.map(activation.plain)
    }
}

/// Zeros that a map of even sides gets: as few as halve its sides.
private func activatedConvolution(
    _ shape: [Int], outputs: Int, kernel: Int, stride: Int, zeros: (before: Int, after: Int), dilation: Int = 1,
    _ activation: Activation
) -> OperationCase {
    OperationCase(
        description: "\(kernel)×\(kernel)/\(stride) of \(shape) to the same places, \(activation)", inputShape: shape,
        tolerance: 3e-2
    ) { state in
        let layer = ActivatedConvolution(
            Convolution2D(
                Scope(state), inputs: shape[3], outputs: outputs, kernel: kernel, stride: stride, padding: .same,
                dilation: dilation, bias: true, start: .xavier), activation)
        layer.convolution.bias!.value.copy(from: randomTensor([outputs], key: 11))
        return { layer($0, $1) }
    } twin: { x, parameters in
        x.bordered(before: zeros.before, after: zeros.after, mirrored: false)
            .convolved(
                parameters[0], bias: parameters[1], outputs: outputs, kernel: kernel, stride: stride, padding: 0,
                dilation: dilation
            ).numbers.map(activation.plain)
    }
}

/// Of a convolution of 6 × 8 maps with stride 2, as an operation on the output's gradient.
private func inputGradient(kernel: Int, before: Int) -> OperationCase {
    OperationCase(description: "gradient of a \(kernel)×\(kernel)/2 convolution", inputShape: [2, 3, 4, 5]) { state in
        let layer = Convolution2D(
            Scope(state), inputs: 3, outputs: 5, kernel: kernel, stride: 2, padding: .same, bias: false, start: .xavier)
        return { layer.inputGradient($0, shape: [2, 6, 8, 3], $1) }
    } twin: { dy, parameters in
        dy.convolutionGradient(
            parameters[0], inputs: 3, kernel: kernel, stride: 2, padding: before, height: 6, width: 8
        ).numbers
    }
}

private func pixel(_ place: Int, _ shape: [Int]) -> (image: Int, y: Int, x: Int, c: Int) {
    (
        place / (shape[1] * shape[2] * shape[3]), place / (shape[2] * shape[3]) % shape[1], place / shape[3] % shape[2],
        place % shape[3]
    )
}

private func channelsFirst(_ x: Grid) -> [Double] {
    let shape = x.shape, pixels = shape[1] * shape[2]
    return (0..<x.numbers.count).map { place in
        let image = place / (pixels * shape[3]), c = place / pixels % shape[3]
        return x.numbers[(image * pixels + place % pixels) * shape[3] + c]
    }
}

private let corners = [(top: 1, left: 2), (top: 0, left: 0)]

/// What inpainting's networks are made of.
let generatorOperations: [OperationCase] = [
    activation(.identity), activation(.rectifier), activation(.exponentialLinear),
    activation(.leakyRectifier(slope: 0.2)),
    activatedConvolution(
        [2, 6, 8, 3], outputs: 4, kernel: 5, stride: 2, zeros: (1, 2), .leakyRectifier(slope: 0.2)),
    activatedConvolution([2, 6, 4, 5], outputs: 11, kernel: 3, stride: 2, zeros: (0, 1), .exponentialLinear),
    activatedConvolution([1, 4, 6, 32], outputs: 32, kernel: 3, stride: 2, zeros: (0, 1), .exponentialLinear),
    activatedConvolution(
        [1, 6, 5, 4], outputs: 3, kernel: 3, stride: 1, zeros: (2, 2), dilation: 2, .exponentialLinear),
    inputGradient(kernel: 5, before: 1), inputGradient(kernel: 3, before: 0),
    .init(description: "linear, and the gradient of that", inputShape: [4, 6], takesBFloat16: false) { state in
        let layer = Linear(Scope(state), inputs: 6, outputs: 3, start: .xavier)
        return { layer.inputGradient(layer($0, $1), $1) }
    } twin: { x, parameters in
        x.rows.flatMap { row in
            let outputs = (0..<3).map { output in
                (0..<6).reduce(parameters[1][output]) { $0 + row[$1] * parameters[0][output * 6 + $1] }
            }
            return (0..<6).map { input in (0..<3).reduce(0) { $0 + outputs[$1] * parameters[0][$1 * 6 + input] } }
        }
    },
    .init(description: "slopes of a leaky rectifier", inputShape: [2, 9]) { _ in
        { scaleBySlope($0, of: .leakyRectifier(slope: 0.2), output: signs.cast(to: $0.value.elementType), $1) }
    } twin: { dy, _ in
        zip(dy.numbers, signs.array).map { $1 > 0 ? $0 : 0.2 * $0 }
    },
    .init(description: "clipping", inputShape: [4, 9], tolerance: 3e-2, takesBFloat16: false) { _ in
        { clip($0, to: 1, $1) }
    } twin: { x, _ in
        x.numbers.map { min(max($0, -1), 1) }
    },
    .init(description: "maps beside each other", inputShape: [2, 3, 2, 3]) { _ in
        { joinChannels([$0, $0, Variable(ones.cast(to: $0.value.elementType))], $1) }
    } twin: { x, _ in
        x.rows.flatMap { $0 + $0 + [1] }
    },
    .init(description: "windows", inputShape: [2, 4, 5, 3]) { _ in
        { crop($0, at: corners, height: 3, width: 2, $1) }
    } twin: { x, _ in
        (0..<36).map { place in
            let at = pixel(place, [2, 3, 2, 3]), corner = corners[at.image]
            return x.numbers[((at.image * 4 + corner.top + at.y) * 5 + corner.left + at.x) * 3 + at.c]
        }
    },
    .init(description: "mirrored border", inputShape: [2, 4, 5, 3]) { _ in
        { mirrorBorder($0, ReflectedBorder(before: 2, after: 3), $1) }
    } twin: { x, _ in
        x.bordered(before: 2, after: 3, mirrored: true).numbers
    },
    .init(description: "channels in planes", inputShape: [2, 3, 2, 4], takesBFloat16: false) { _ in
        { flattenChannels($0, $1) }
    } twin: { x, _ in
        channelsFirst(x)
    },
    .init(description: "planes as channels", inputShape: [2, 24], takesBFloat16: false) { _ in
        { unflattenChannels($0, [2, 3, 2, 4], $1) }
    } twin: { x, _ in
        // Each place of the planes in turn.
        let places = channelsFirst(Grid(shape: [2, 3, 2, 4], numbers: (0..<48).map(Double.init)))
        var maps = [Double](repeating: 0, count: 48)
        for (value, place) in zip(x.numbers, places) { maps[Int(place)] = value }
        return maps
    },
]

private var signs: Tensor { randomTensor([2, 9], key: 31) }

private var ones: Tensor { Tensor([2, 3, 2, 1], [Float](repeating: 1, count: 12)) }
