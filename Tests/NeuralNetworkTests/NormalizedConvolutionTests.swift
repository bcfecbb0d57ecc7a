import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Layers on each other, whose maps and sums are made where convolutions read and complete them.
@Suite struct NormalizedConvolutionTests {
    private struct Outcome {
        let value, inputGradient: [Float]
        let gradients: [[Float]]
    }

    /// Four layers: behind a rectifier, behind a residual sum, and where another reads the map too.
    ///
    /// - Parameters:
    ///   - isApart: whether between two layers stands an operation that reads the whole map, and gives a whole gradient.
    ///   - passes: whether maps with one reader are kept nowhere.
    private func run(_ type: ElementType, isApart: Bool, passes: Bool) throws -> Outcome {
        let state = ModelState(seed: 3), tape = Tape()
        let layers = (1...4).map { number in
            NormalizedConvolution(
                Convolution2D(Scope(state).child("c\(number)"), inputs: 32, outputs: 32, kernel: 3, padding: 1),
                BatchNormalization(Scope(state).child("n\(number)"), channels: 32))
        }
        state.allocateGradients()
        let pass = Pass(mode: .training, tape: tape, elementType: type)
        func between(_ x: Variable) -> Variable { isApart ? reshape(x, x.shape, pass) : x }
        let x = Variable(randomTensor([3, 12, 10, 32], key: 1).cast(to: type), needsGradient: true)
        let first = between(try layers[0](x, rectify: true, pass))
        let second = between(try layers[1](first, rectify: true, passes: passes, pass))
        let sum = between(try layers[2](second, residual: first, rectify: true, pass))
        let shortcut = between(try layers[3](x, passes: passes, pass))
        let last = try layers[2](sum, residual: shortcut, rectify: true, pass)
        try tape.backward(from: last, seed: randomTensor(last.shape, key: 2).cast(to: type))
        return Outcome(
            value: last.value.cast(to: .float32).array, inputGradient: x.takeGradient()!.cast(to: .float32).array,
            gradients: state.parameters.map { $0.gradient!.array })
    }

    @Test(arguments: ElementType.allCases, [false, true])
    func mapsThatAreMadeGiveWhatThoseInMemoryGive(_ type: ElementType, _ passes: Bool) throws {
        let made = try run(type, isApart: false, passes: passes), kept = try run(type, isApart: true, passes: false)
        #expect(made.value == kept.value)
        // Sums of other blocks of rows are rounded otherwise.
        let tolerance = type == .float32 ? 1e-4 : 1e-2
        #expect(relativeError(made.inputGradient, kept.inputGradient) < tolerance)
        for (a, b) in zip(made.gradients, kept.gradients) { #expect(relativeError(a, b) < tolerance) }
        let again = try run(type, isApart: false, passes: passes)
        #expect(again.inputGradient == made.inputGradient && again.gradients == made.gradients)
    }
}
