import Inpainting
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// The gradient of a critic for its pictures, and second derivatives through it.
@Suite struct CriticTests {
    private let state: ModelState
    private let critic: Critic
    private let masks: Tensor
    private let pictures = randomTensor([2, 16, 16, 3], key: 1)

    init() {
        state = ModelState(seed: 2)
        critic = Critic(Scope(state), side: 16, outputs: [2, 3, 4, 4])
        for (key, parameter) in state.parameters.enumerated() {
            parameter.value.copy(from: randomTensor(parameter.value.shape, key: UInt64(10 + key), scale: 0.3))
        }
        masks = Tensor.zeros([2, 16, 16, 1])
        for y in 3..<11 {
            for x in 4..<12 { masks.floats[y * 16 + x] = 1 }
        }
        for y in 5..<9 {
            for x in 2..<15 { masks.floats[(16 + y) * 16 + x] = 1 }
        }
    }

    private func pass(_ tape: Tape? = nil) -> Pass {
        Pass(mode: .training, tape: tape, convolutions: Convolutions(.exact))
    }

    @Test func theGradientOfOperationsIsThatOfTheTape() throws {
        let tape = Tape(), input = Variable(pictures, needsGradient: true), pass = pass(tape)
        try tape.backward(from: scoreSum(critic(input, pass), weight: 1, pass).variable, seed: Tensor([1], [1]))
        let written = critic.pictureGradient(pictures, self.pass()).value
        #expect(relativeError(written, try #require(input.takeGradient())) < 1e-6)
    }

    @Test func thePenaltysGradientIsThatOfFiniteDifferences() throws {
        func penalty(_ pass: Pass) -> (loss: Double, norms: [Double], variable: Variable) {
            slopePenalty(critic.pictureGradient(pictures, pass), masks: masks, weight: 0.5, pass)
        }
        state.allocateGradients()
        let tape = Tape(), total = penalty(pass(tape))
        var ready: [String] = []
        try tape.backward(from: total.variable, seed: Tensor([1], [1])) { ready.append($0.name) }
        let weights = state.parameters.filter { $0.name.hasSuffix("weight") }
        #expect(total.loss > 0.05 && ready.sorted() == weights.map(\.name).sorted(), "biases have no part in slopes")
        for parameter in weights {
            let gradient = try #require(parameter.gradient).array, step: Float = 1e-3
            // Every third, so that it takes no minute.
            let places = stride(from: 0, to: gradient.count, by: 3)
            let numeric = places.map { place -> Float in
                let value = parameter.value.floats[place]
                func at(_ value: Float) -> Double {
                    parameter.value.floats[place] = value
                    parameter.value.markChanged()
                    return penalty(pass()).loss
                }
                let slope = (at(value + step) - at(value - step)) / Double(2 * step)
                _ = at(value)
                return Float(slope)
            }
            // A step may cross a kink of a leaky rectifier.
            #expect(relativeError(places.map { gradient[$0] }, numeric) < 2e-2, "\(parameter.name)")
        }
    }

    @Test func aPictureWithoutAHoleHasAPenaltyAndNoGradient() throws {
        state.allocateGradients()
        let tape = Tape(), pass = pass(tape)
        let penalty = slopePenalty(
            critic.pictureGradient(pictures, pass), masks: .zeros([2, 16, 16, 1]), weight: 0.5, pass)
        #expect(abs(penalty.loss - 1) < 1e-5)
        try tape.backward(from: penalty.variable, seed: Tensor([1], [1]))
        for parameter in state.parameters {
            parameter.settleGradient()
            #expect(parameter.gradient!.array.allSatisfy { $0 == 0 })
        }
    }

    /// In both element types the slopes agree as far as rounding lets them.
    @Test func bfloat16RoundsSlopes() {
        let exact = critic.pictureGradient(pictures, pass()).value
        let rounded = critic.pictureGradient(pictures, Pass(mode: .training, elementType: .bfloat16)).value
        #expect(rounded.elementType == .float32 && relativeError(rounded, exact) < 5e-2)
    }
}
