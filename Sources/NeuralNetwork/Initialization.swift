import TensorCore

/// How a parameter starts. Draws depend on the seed and the parameter's name alone, not on the order of layers.
package enum Initialization: Sendable {
    case constant(Float)
    /// N(0, deviation²).
    case normal(deviation: Double)
    /// Uniform in ±bound.
    case uniform(bound: Double)

    /// He's normal for rectifiers by fan-out, as torchvision's ResNets start: deviation √(2 / (k·k·outputs)).
    static func fanOut(kernel: Int, outputs: Int) -> Self {
        .normal(deviation: (2 / Double(kernel * kernel * outputs)).squareRoot())
    }

    /// PyTorch's default of `Conv2d` and `Linear`, for weights and biases: uniform in ±1/√fan-in.
    static func fanIn(_ inputs: Int) -> Self { .uniform(bound: 1 / Double(inputs).squareRoot()) }

    func tensor(_ shape: [Int], seed: UInt64, name: String) -> Tensor {
        let tensor = Tensor(shape)
        var generator = KeyedGenerator(key: [seed, Self.keyOfInitialValues] + name.utf8.map(UInt64.init))
        let floats = tensor.floats
        switch self {
        case .constant(let value): tensor.fill(value)
        case .normal(let deviation):
            for i in 0..<tensor.count { floats[i] = Float(deviation * generator.normal()) }
        case .uniform(let bound):
            for i in 0..<tensor.count { floats[i] = Float(generator.uniform(-bound, bound)) }
        }
        return tensor
    }

    /// Sets initial values apart from every other use of the run's seed.
    private static let keyOfInitialValues: UInt64 = 0x696E_6974
}

extension Convolution2D.Start {
    /// Of a kernel [outputs, k, k, inputs].
    func weights(_ shape: [Int]) -> Initialization {
        let area = shape[1] * shape[2], fanIn = area * shape[3]
        return switch self {
        case .residualNetwork: .fanOut(kernel: shape[1], outputs: shape[0])
        case .pytorchDefault: .fanIn(fanIn)
        case .xavierFill: .uniform(bound: (3 / Double(fanIn)).squareRoot())
        case .xavier: .uniform(bound: (6 / Double(fanIn + area * shape[0])).squareRoot())
        case .normal(let deviation): .normal(deviation: deviation)
        }
    }

    func bias(_ shape: [Int]) -> Initialization {
        switch self {
        case .residualNetwork, .pytorchDefault: .fanIn(shape[1] * shape[2] * shape[3])
        case .xavierFill, .xavier, .normal: .constant(0)
        }
    }
}
