import TensorCore

/// The residual networks of He et al. 2016 in torchvision's layout and names (v1.5: the stride is on the 3×3).
package enum ResNetArchitecture: String, Sendable {
    case resnet18, resnet34, resnet50, resnet101, resnet152
    /// One basic block a stage, 4 to 32 channels: for references that are small enough to keep. Nothing trains it.
    case tiny

    /// Those of the paper, which are worth training.
    package static let published: [ResNetArchitecture] = [.resnet18, .resnet34, .resnet50, .resnet101, .resnet152]

    /// Residual blocks in each of the four stages.
    package var blocks: [Int] {
        switch self {
        case .tiny: [1, 1, 1, 1]
        case .resnet18: [2, 2, 2, 2]
        case .resnet34, .resnet50: [3, 4, 6, 3]
        case .resnet101: [3, 4, 23, 3]
        case .resnet152: [3, 8, 36, 3]
        }
    }

    package var usesBottlenecks: Bool {
        switch self {
        case .tiny, .resnet18, .resnet34: false
        case .resnet50, .resnet101, .resnet152: true
        }
    }

    /// Channels inside the blocks of a stage, 1 to 4; the first layer has those of stage 1.
    package func width(stage: Int) -> Int { (self == .tiny ? 4 : 64) << (stage - 1) }

    /// Output channels of a stage, 1 to 4.
    package func channels(stage: Int) -> Int { width(stage: stage) * (usesBottlenecks ? 4 : 1) }

    /// C5 where no stage dilates.
    package var top: BackboneLevel { levels()[3] }

    /// The maps C2 to C5 where C5 has this stride.
    package func levels(outputStride: Int = 32) -> [BackboneLevel] {
        (1...4).map {
            BackboneLevel(name: "C\($0 + 1)", stride: min(2 << $0, outputStride), channels: channels(stage: $0))
        }
    }
}

extension ResNetArchitecture {
    /// About what an image of so many pixels takes in float32 during a step: the outputs of all convolutions and
    /// normalisations, half as much again for gradients on their way.
    package func activationBytes(pixels: Int) -> Int {
        let millionBytesAt224 =
            switch self {
            case .tiny: 1
            case .resnet18: 40
            case .resnet34: 60
            case .resnet50: 150
            case .resnet101: 230
            case .resnet152: 320
            }
        return max(1, millionBytesAt224 * 1_000_000 * pixels / (224 * 224))
    }
}

/// Where a residual block stands, and how it moves over the map.
package struct BlockGeometry: Sendable, Equatable {
    package let inputs, width, stride, dilation: Int
}

extension ResNetArchitecture {
    /// The blocks of each stage.
    ///
    /// - Parameter outputStride: of C5: 32, or 16 or 8 by stages that dilate instead of striding. The first block of such
    ///   a stage keeps the dilation before it, the others double it (as DeepLab's and torchvision's).
    package func stages(outputStride: Int = 32) -> [[BlockGeometry]] {
        var inputs = width(stage: 1), stride = 4, dilation = 1
        return zip(blocks, levels(outputStride: outputStride)).enumerated().map { index, stage in
            let (count, level) = stage, before = dilation, strides = level.stride > stride
            if index > 0 && !strides { dilation *= 2 }
            stride = level.stride
            return (0..<count).map { block in
                defer { inputs = level.channels }
                return BlockGeometry(
                    inputs: inputs, width: width(stage: index + 1), stride: block == 0 && strides ? 2 : 1,
                    dilation: block == 0 ? before : dilation)
            }
        }
    }
}

/// A residual block: the sum of a shortcut and a few convolutions, rectified.
private protocol ResidualBlock {
    var normalizations: [BatchNormalization] { get }
    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable
}

/// A convolution without bias, and the normalisation behind it, as `conv1` and `bn1`.
private func normalizedConvolution(
    _ scope: Scope, _ number: Int, inputs: Int, outputs: Int, kernel: Int = 1, stride: Int = 1, dilation: Int = 1,
    initialScale: Float = 1
) -> NormalizedConvolution {
    NormalizedConvolution(
        Convolution2D(
            scope.child("conv\(number)"), inputs: inputs, outputs: outputs, kernel: kernel, stride: stride,
            padding: kernel / 2 * dilation, dilation: dilation),
        BatchNormalization(scope.child("bn\(number)"), channels: outputs, initialScale: initialScale))
}

/// The 1×1 convolution and normalisation on a shortcut whose size changes.
private func makeShortcut(_ scope: Scope, inputs: Int, outputs: Int, stride: Int) -> NormalizedConvolution? {
    guard stride != 1 || inputs != outputs else { return nil }
    let place = scope.child("downsample")
    return NormalizedConvolution(
        Convolution2D(place.child("0"), inputs: inputs, outputs: outputs, stride: stride),
        BatchNormalization(place.child("1"), channels: outputs))
}

/// Two 3×3 convolutions.
private struct BasicBlock: ResidualBlock {
    let first, second: NormalizedConvolution
    let shortcut: NormalizedConvolution?

    init(_ scope: Scope, _ block: BlockGeometry) {
        let width = block.width
        first = normalizedConvolution(
            scope, 1, inputs: block.inputs, outputs: width, kernel: 3, stride: block.stride, dilation: block.dilation)
        second = normalizedConvolution(
            scope, 2, inputs: width, outputs: width, kernel: 3, dilation: block.dilation, initialScale: 0)
        shortcut = makeShortcut(scope, inputs: block.inputs, outputs: width, stride: block.stride)
    }

    var normalizations: [BatchNormalization] { ([first, second] + [shortcut].compactMap { $0 }).map(\.normalization) }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let inner = try first(x, rectify: true, passes: true, pass)
        let skipped = try shortcut?(x, passes: true, pass) ?? x
        return try second(inner, residual: skipped, rectify: true, pass)
    }
}

/// 1×1, 3×3 (with the stride), 1×1 to four times the width.
private struct Bottleneck: ResidualBlock {
    let reduction, middle, expansion: NormalizedConvolution
    let shortcut: NormalizedConvolution?

    init(_ scope: Scope, _ block: BlockGeometry) {
        let width = block.width
        reduction = normalizedConvolution(scope, 1, inputs: block.inputs, outputs: width)
        middle = normalizedConvolution(
            scope, 2, inputs: width, outputs: width, kernel: 3, stride: block.stride, dilation: block.dilation)
        expansion = normalizedConvolution(scope, 3, inputs: width, outputs: 4 * width, initialScale: 0)
        shortcut = makeShortcut(scope, inputs: block.inputs, outputs: 4 * width, stride: block.stride)
    }

    var normalizations: [BatchNormalization] {
        ([reduction, middle, expansion] + [shortcut].compactMap { $0 }).map(\.normalization)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let reduced = try reduction(x, rectify: true, passes: true, pass)
        let inner = try middle(reduced, rectify: true, passes: true, pass)
        let skipped = try shortcut?(x, passes: true, pass) ?? x
        return try expansion(inner, residual: skipped, rectify: true, pass)
    }
}

/// A ResNet trunk with the maps C2 to C5: no pooling, no classifier.
package final class ResNet: Backbone {
    package let architecture: ResNetArchitecture
    package let levels: [BackboneLevel]
    private let stem: NormalizedConvolution
    private let stages: [[any ResidualBlock]]
    /// Of the stem and each stage.
    private let parameters: [[Parameter]]

    package init(_ architecture: ResNetArchitecture, _ scope: Scope, outputStride: Int = 32) {
        precondition([8, 16, 32].contains(outputStride), "output stride \(outputStride); 8, 16 and 32 are defined")
        self.architecture = architecture
        levels = architecture.levels(outputStride: outputStride)
        var parameters: [[Parameter]] = []
        func noteParameters() {
            parameters.append(Array(scope.state.parameters.dropFirst(first + parameters.joined().count)))
        }
        let first = scope.state.parameters.count, width = architecture.width(stage: 1)
        stem = NormalizedConvolution(
            Convolution2D(scope.child("conv1"), inputs: 3, outputs: width, kernel: 7, stride: 2, padding: 3),
            BatchNormalization(scope.child("bn1"), channels: width))
        noteParameters()
        stages = architecture.stages(outputStride: outputStride).enumerated().map { index, stage in
            let blocks = stage.enumerated().map { block, geometry -> any ResidualBlock in
                let place = scope.child("layer\(index + 1)").child("\(block)")
                return architecture.usesBottlenecks ? Bottleneck(place, geometry) : BasicBlock(place, geometry)
            }
            noteParameters()
            return blocks
        }
        self.parameters = parameters
    }

    /// The parameters of the stem and the first `stages` stages, which a run that freezes them does not train.
    package func parameters(ofFirst stages: Int) -> [Parameter] { parameters[0...stages].flatMap { $0 } }

    /// Has the stem and the first `stages` stages normalise by their running statistics in training too.
    package func keepStatistics(ofFirst count: Int) {
        for normalization in [stem.normalization] + stages[..<count].joined().flatMap(\.normalizations) {
            normalization.keepsStatistics = true
        }
    }

    package func maps(_ images: Variable, _ pass: Pass) throws -> [Variable] {
        var x = try stem(cast(images, to: pass.elementType, pass), rectify: true, passes: true, pass)
        x = maxPool(x, kernel: 3, stride: 2, padding: 1, pass)
        return try stages.map { blocks in
            for block in blocks { x = try block(x, pass) }
            return x
        }
    }
}
