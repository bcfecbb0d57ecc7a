import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// One operation or layer, its input, and how large a finite-difference error it may show.
struct OperationCase: Sendable, CustomStringConvertible {
    let description: String
    let inputShape: [Int]
    var tolerance = 5e-3
    /// Builds the operation over fresh parameters; called once for each check.
    let make: @Sendable (ModelState) -> (Variable, Pass) throws -> Variable
}

/// The table of all operations that have a gradient.
let operations: [OperationCase] = [
    .init(description: "convolution 3×3 with bias", inputShape: [2, 5, 4, 3]) { state in
        let layer = Convolution2D(Scope(state), inputs: 3, outputs: 4, kernel: 3, padding: 1, bias: true)
        return { layer($0, $1) }
    },
    .init(description: "convolution 3×3 stride 2, groups 2", inputShape: [2, 6, 6, 4]) { state in
        let layer = Convolution2D(Scope(state), inputs: 4, outputs: 6, kernel: 3, stride: 2, padding: 1, groups: 2)
        return { layer($0, $1) }
    },
    .init(description: "batch normalisation", inputShape: [3, 4, 4, 5]) { state in
        let layer = BatchNormalization(Scope(state), channels: 5)
        layer.scale.value.copy(from: randomTensor([5], key: 11))
        return { try layer($0, $1) }
    },
    .init(description: "batch normalisation, residual and rectifier", inputShape: [3, 4, 4, 5], tolerance: 3e-2) {
        state in
        let layer = BatchNormalization(Scope(state), channels: 5)
        layer.shift.value.copy(from: randomTensor([5], key: 12))
        return { try layer($0, residual: $0, rectify: true, $1) }
    },
    .init(description: "maximum pooling", inputShape: [2, 7, 7, 3], tolerance: 3e-2) { _ in
        { maxPool($0, kernel: 3, stride: 2, padding: 1, $1) }
    },
    .init(description: "global average pooling", inputShape: [2, 3, 4, 5]) { _ in { globalAveragePool($0, $1) } },
    .init(description: "rectifier", inputShape: [4, 9], tolerance: 3e-2) { _ in { rectify($0, $1) } },
    .init(description: "sum of a value with itself", inputShape: [4, 9]) { _ in { add($0, $0, $1) } },
    .init(description: "row normalisation", inputShape: [6, 8]) { _ in { normalizeRows($0, $1) } },
    .init(description: "linear", inputShape: [5, 7]) { state in
        let layer = Linear(Scope(state), inputs: 7, outputs: 3)
        return { layer($0, $1) }
    },
]

@Suite struct GradientTests {
    /// Σ r·f(x) for fixed random r, which makes any operation a scalar function.
    private func probe(_ output: Tensor) -> Tensor { randomTensor(output.shape, key: 99) }

    /// A gradient for images would cost a convolution that nobody reads.
    @Test func onlyCastsOfWhatWantsAGradientWantOne() {
        let x = randomTensor([2, 3], key: 1)
        let pass = Pass(mode: .training, tape: Tape())
        #expect(!cast(Variable(x), to: .bfloat16, pass).needsGradient)
        #expect(cast(Variable(x, needsGradient: true), to: .bfloat16, pass).needsGradient)
    }

    @Test(arguments: operations) func agreesWithFiniteDifferences(_ operation: OperationCase) throws {
        let state = ModelState(seed: 3)
        let run = operation.make(state)
        state.allocateGradients()
        let x = randomTensor(operation.inputShape, key: 5)

        let tape = Tape()
        let input = Variable(x, needsGradient: true)
        let output = try run(input, Pass(mode: .training, tape: tape))
        let weights = probe(output.value)
        var ready: [String] = []
        try tape.backward(from: output, seed: weights.copy()) { ready.append($0.name) }
        #expect(ready.sorted() == state.parameters.map(\.name).sorted(), "each parameter is reported once")

        func value() throws -> Double {
            try run(Variable(x), Pass(mode: .training)).value.innerProduct(weights)
        }
        let inputGradient = try #require(input.takeGradient())
        try compare(inputGradient, of: x, operation, value)
        for parameter in state.parameters {
            try compare(try #require(parameter.gradient), of: parameter.value, operation, value)
        }
    }

    private func compare(
        _ gradient: Tensor, of tensor: Tensor, _ operation: OperationCase, _ value: () throws -> Double
    ) throws {
        let step: Float = 2e-3
        var numeric: [Float] = []
        for i in 0..<tensor.count {
            let original = tensor.floats[i]
            tensor.floats[i] = original + step
            let above = try value()
            tensor.floats[i] = original - step
            let below = try value()
            tensor.floats[i] = original
            numeric.append(Float((above - below) / Double(2 * step)))
        }
        // Kinks of rectifiers and maxima that a step crosses show as single large errors: compare norms.
        let error = relativeError(gradient.array, numeric)
        #expect(error < operation.tolerance, "\(operation): \(error)")
    }

    @Test func aSecondPassAddsToTheGradient() throws {
        let state = ModelState(seed: 3)
        let layer = Convolution2D(Scope(state), inputs: 3, outputs: 4, kernel: 3, padding: 1, bias: true)
        state.allocateGradients()
        let x = randomTensor([2, 5, 5, 3], key: 1)
        func backward() throws {
            let tape = Tape()
            let y = layer(Variable(x), Pass(mode: .training, tape: tape))
            try tape.backward(from: y, seed: randomTensor(y.value.shape, key: 2))
        }
        try backward()
        let once = layer.weight.gradient!.array
        try backward()
        #expect(relativeError(layer.weight.gradient!.array, once.map { 2 * $0 }) < 1e-6)
        state.clearGradients()
        try backward()
        #expect(layer.weight.gradient!.array == once)
    }
}
