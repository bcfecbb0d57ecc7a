import TensorCore

/// The residual networks of He et al. 2016 in torchvision's layout and names (v1.5: the stride is on the 3×3).
public enum ResNetArchitecture: String, Sendable {
    case resnet18, resnet34, resnet50, resnet101, resnet152
    /// One basic block a stage, 4 to 32 channels: for references that are small enough to keep. Nothing trains it.
    case tiny

    /// Those of the paper, which are worth training.
    public static let published: [ResNetArchitecture] = [.resnet18, .resnet34, .resnet50, .resnet101, .resnet152]

    /// Residual blocks in each of the four stages.
    public var blocks: [Int] {
        switch self {
        case .tiny: [1, 1, 1, 1]
        case .resnet18: [2, 2, 2, 2]
        case .resnet34, .resnet50: [3, 4, 6, 3]
        case .resnet101: [3, 4, 23, 3]
        case .resnet152: [3, 8, 36, 3]
        }
    }

    public var usesBottlenecks: Bool {
        switch self {
        case .tiny, .resnet18, .resnet34: false
        case .resnet50, .resnet101, .resnet152: true
        }
    }

    /// Channels inside the blocks of a stage, 1 to 4; the first layer has those of stage 1.
    public func width(stage: Int) -> Int { (self == .tiny ? 4 : 64) << (stage - 1) }

    /// Output channels of a stage, 1 to 4.
    public func channels(stage: Int) -> Int { width(stage: stage) * (usesBottlenecks ? 4 : 1) }

    /// Channels of C5, the last stage.
    public var outputChannels: Int { channels(stage: 4) }
}

/// A residual block: the sum of a shortcut and a few convolutions, rectified.
protocol ResidualBlock {
    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable
}

/// The 1×1 convolution and normalisation on a shortcut whose size changes.
private struct Shortcut {
    let convolution: NormalizedConvolution

    init?(_ scope: Scope, inputs: Int, outputs: Int, stride: Int) {
        guard stride != 1 || inputs != outputs else { return nil }
        let place = scope.child("downsample")
        convolution = NormalizedConvolution(
            Convolution2D(place.child("0"), inputs: inputs, outputs: outputs, stride: stride),
            BatchNormalization(place.child("1"), channels: outputs))
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        try convolution(x, pass)
    }
}

/// Two 3×3 convolutions.
private struct BasicBlock: ResidualBlock {
    let first, second: NormalizedConvolution
    let shortcut: Shortcut?

    init(_ scope: Scope, inputs: Int, width: Int, stride: Int) {
        first = NormalizedConvolution(
            Convolution2D(scope.child("conv1"), inputs: inputs, outputs: width, kernel: 3, stride: stride, padding: 1),
            BatchNormalization(scope.child("bn1"), channels: width))
        second = NormalizedConvolution(
            Convolution2D(scope.child("conv2"), inputs: width, outputs: width, kernel: 3, padding: 1),
            BatchNormalization(scope.child("bn2"), channels: width, initialScale: 0))
        shortcut = Shortcut(scope, inputs: inputs, outputs: width, stride: stride)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let inner = try first(x, rectify: true, pass)
        let skipped = try shortcut?(x, pass) ?? x
        return try second(inner, residual: skipped, rectify: true, pass)
    }
}

/// 1×1, 3×3 (with the stride), 1×1 to four times the width.
private struct Bottleneck: ResidualBlock {
    let reduction, middle, expansion: NormalizedConvolution
    let shortcut: Shortcut?

    init(_ scope: Scope, inputs: Int, width: Int, stride: Int) {
        reduction = NormalizedConvolution(
            Convolution2D(scope.child("conv1"), inputs: inputs, outputs: width),
            BatchNormalization(scope.child("bn1"), channels: width))
        middle = NormalizedConvolution(
            Convolution2D(scope.child("conv2"), inputs: width, outputs: width, kernel: 3, stride: stride, padding: 1),
            BatchNormalization(scope.child("bn2"), channels: width))
        expansion = NormalizedConvolution(
            Convolution2D(scope.child("conv3"), inputs: width, outputs: 4 * width),
            BatchNormalization(scope.child("bn3"), channels: 4 * width, initialScale: 0))
        shortcut = Shortcut(scope, inputs: inputs, outputs: 4 * width, stride: stride)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let inner = try middle(reduction(x, rectify: true, pass), rectify: true, pass)
        let skipped = try shortcut?(x, pass) ?? x
        return try expansion(inner, residual: skipped, rectify: true, pass)
    }
}

/// A ResNet trunk up to C5: no pooling, no classifier.
public final class ResNet {
    public let architecture: ResNetArchitecture
    private let stem: NormalizedConvolution
    private let stages: [[any ResidualBlock]]

    public init(_ architecture: ResNetArchitecture, _ scope: Scope) {
        self.architecture = architecture
        var inputs = architecture.width(stage: 1)
        stem = NormalizedConvolution(
            Convolution2D(scope.child("conv1"), inputs: 3, outputs: inputs, kernel: 7, stride: 2, padding: 3),
            BatchNormalization(scope.child("bn1"), channels: inputs))
        stages = architecture.blocks.enumerated().map { index, count in
            let stage = index + 1, width = architecture.width(stage: stage)
            return (0..<count).map { block -> any ResidualBlock in
                defer { inputs = architecture.channels(stage: stage) }
                let place = scope.child("layer\(stage)").child("\(block)")
                let stride = stage > 1 && block == 0 ? 2 : 1
                return architecture.usesBottlenecks
                    ? Bottleneck(place, inputs: inputs, width: width, stride: stride)
                    : BasicBlock(place, inputs: inputs, width: width, stride: stride)
            }
        }
    }

    /// Images [N, H, W, 3], normalised → the four stages' maps C2 to C5, strides 4 to 32, in the pass's element type.
    public func maps(_ images: Variable, _ pass: Pass) throws -> [Variable] {
        var x = try stem(cast(images, to: pass.elementType, pass), rectify: true, pass)
        x = maxPool(x, kernel: 3, stride: 2, padding: 1, pass)
        return try stages.map { blocks in
            for block in blocks { x = try block(x, pass) }
            return x
        }
    }

    /// Images [N, H, W, 3] → C5 [N, ⌈H/32⌉, ⌈W/32⌉, C].
    public func callAsFunction(_ images: Variable, _ pass: Pass) throws -> Variable { try maps(images, pass)[3] }
}
