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
    let convolution: Convolution2D
    let normalization: BatchNormalization

    init?(_ scope: Scope, inputs: Int, outputs: Int, stride: Int) {
        guard stride != 1 || inputs != outputs else { return nil }
        let place = scope.child("downsample")
        convolution = Convolution2D(place.child("0"), inputs: inputs, outputs: outputs, stride: stride)
        normalization = BatchNormalization(place.child("1"), channels: outputs)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        try normalization(convolution(x, pass), pass)
    }
}

/// Two 3×3 convolutions.
private struct BasicBlock: ResidualBlock {
    let conv1, conv2: Convolution2D
    let bn1, bn2: BatchNormalization
    let shortcut: Shortcut?

    init(_ scope: Scope, inputs: Int, width: Int, stride: Int) {
        conv1 = Convolution2D(
            scope.child("conv1"), inputs: inputs, outputs: width, kernel: 3, stride: stride, padding: 1)
        bn1 = BatchNormalization(scope.child("bn1"), channels: width)
        conv2 = Convolution2D(scope.child("conv2"), inputs: width, outputs: width, kernel: 3, padding: 1)
        bn2 = BatchNormalization(scope.child("bn2"), channels: width, initialScale: 0)
        shortcut = Shortcut(scope, inputs: inputs, outputs: width, stride: stride)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let inner = try bn1(conv1(x, pass), rectify: true, pass)
        let skipped = try shortcut?(x, pass) ?? x
        return try bn2(conv2(inner, pass), residual: skipped, rectify: true, pass)
    }
}

/// 1×1, 3×3 (with the stride), 1×1 to four times the width.
private struct Bottleneck: ResidualBlock {
    let conv1, conv2, conv3: Convolution2D
    let bn1, bn2, bn3: BatchNormalization
    let shortcut: Shortcut?

    init(_ scope: Scope, inputs: Int, width: Int, stride: Int) {
        conv1 = Convolution2D(scope.child("conv1"), inputs: inputs, outputs: width)
        bn1 = BatchNormalization(scope.child("bn1"), channels: width)
        conv2 = Convolution2D(
            scope.child("conv2"), inputs: width, outputs: width, kernel: 3, stride: stride, padding: 1)
        bn2 = BatchNormalization(scope.child("bn2"), channels: width)
        conv3 = Convolution2D(scope.child("conv3"), inputs: width, outputs: 4 * width)
        bn3 = BatchNormalization(scope.child("bn3"), channels: 4 * width, initialScale: 0)
        shortcut = Shortcut(scope, inputs: inputs, outputs: 4 * width, stride: stride)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let reduced = try bn1(conv1(x, pass), rectify: true, pass)
        let inner = try bn2(conv2(reduced, pass), rectify: true, pass)
        let skipped = try shortcut?(x, pass) ?? x
        return try bn3(conv3(inner, pass), residual: skipped, rectify: true, pass)
    }
}

/// A ResNet trunk up to C5: no pooling, no classifier.
public final class ResNet {
    public let architecture: ResNetArchitecture
    private let conv1: Convolution2D
    private let bn1: BatchNormalization
    private let stages: [[any ResidualBlock]]

    public init(_ architecture: ResNetArchitecture, _ scope: Scope) {
        self.architecture = architecture
        var inputs = architecture.width(stage: 1)
        conv1 = Convolution2D(scope.child("conv1"), inputs: 3, outputs: inputs, kernel: 7, stride: 2, padding: 3)
        bn1 = BatchNormalization(scope.child("bn1"), channels: inputs)
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
        var x = try bn1(conv1(cast(images, to: pass.elementType, pass), pass), rectify: true, pass)
        x = maxPool(x, kernel: 3, stride: 2, padding: 1, pass)
        return try stages.map { blocks in
            for block in blocks { x = try block(x, pass) }
            return x
        }
    }

    /// Images [N, H, W, 3] → C5 [N, ⌈H/32⌉, ⌈W/32⌉, C].
    public func callAsFunction(_ images: Variable, _ pass: Pass) throws -> Variable { try maps(images, pass)[3] }
}
