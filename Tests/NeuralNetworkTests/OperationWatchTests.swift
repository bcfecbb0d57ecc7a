import NeuralNetwork
import TensorCore
import TestSupport
import Testing

@Suite struct OperationWatchTests {
    private struct Network {
        let state = ModelState(seed: 1)
        let first, second: Convolution2D
        let image = randomTensor([2, 4, 4, 3], key: 1)

        init() {
            first = Convolution2D(Scope(state).child("first"), inputs: 3, outputs: 8)
            second = Convolution2D(Scope(state).child("second"), inputs: 8, outputs: 8)
            state.allocateGradients()
        }

        /// Forward and backward from a gradient of ones.
        func run(seed: Float = 1) throws {
            let tape = Tape(), pass = Pass(mode: .training, tape: tape)
            let x = Variable(image), hidden = second(rectify(first(x, pass), pass), pass)
            let output = reshape(hidden, [hidden.value.count], pass), gradient = Tensor(output.value.shape)
            gradient.fill(seed)
            try tape.backward(from: output, seed: gradient)
        }
    }

    @Test func finiteNumbersAreCountedAndNotFound() throws {
        let network = Network(), watch = OperationWatch()
        try watch.watch { try network.run() }
        // Forward and backward of two convolutions, a rectifier and a change of shape.
        #expect(watch.first == nil && watch.count == 8)
    }

    @Test func theFirstOperationForwardIsNamedWithWhatItWasGiven() throws {
        let network = Network(), watch = OperationWatch()
        network.second.weight.value.floats[3] = .infinity
        try watch.watch { try network.run() }
        let found = try #require(watch.first)
        #expect(found.number == 3)
        #expect(found.text.hasPrefix("forward, Convolution2D of second.weight: its output [2, 4, 4, 8] float32 has "))
        #expect(found.text.contains("second.weight [8, 1, 1, 8] with inf"), "\(found.text)")
    }

    @Test func theFirstOperationBackwardIsNamed() throws {
        let network = Network(), watch = OperationWatch()
        network.second.weight.value.fill(1e30)
        network.image.fill(1e-30)
        try watch.watch { try network.run(seed: 1e20) }
        let found = try #require(watch.first)
        #expect(found.number == 6)
        #expect(
            found.text.hasPrefix("backward, Convolution2D of second.weight: the gradient of its input 1 [2, 4, 4, 8]"),
            "\(found.text)")
        #expect(found.text.contains("given a gradient of its output up to 1e+20"), "\(found.text)")
    }

    /// What only a network without a tape computes is seen too, as a momentum encoder's maps are.
    @Test func passesWithoutATapeAreWatched() {
        let network = Network(), watch = OperationWatch()
        network.image.floats[17] = .nan
        watch.watch { _ = network.first(Variable(network.image), Pass(mode: .training)) }
        #expect(watch.first?.text.contains("the first nan at [0, 1, 1, 0]") == true, "\(watch.first?.text ?? "")")
        #expect(watch.first?.text.contains("input 1 [2, 4, 4, 3] with nan") == true)
        _ = network.first(Variable(network.image), Pass(mode: .training))
        #expect(watch.count == 1)
    }

    @Test func mapsOfSixteenBitsAreLookedAt() {
        let map = randomTensor([2, 3], key: 4)
        map.floats[4] = -.infinity
        #expect(
            map.cast(to: .bfloat16).faults(called: "m")
                == "m [2, 3] bfloat16 has 1 of 6 numbers that is not finite, the first -inf at [1, 1]")
        #expect(randomTensor([2, 3], key: 4).faults(called: "m") == nil)
    }
}
