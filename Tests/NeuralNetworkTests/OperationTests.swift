import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Every operation of the table: its value against a plain twin, its gradient against finite differences, what is frozen,
/// and bfloat16.
@Suite struct OperationTests {
    /// Σ r·f(x) for fixed random r makes any operation a scalar function.
    private func probe(_ output: Tensor) -> Tensor { randomTensor(output.shape, key: 99) }

    /// An operation with its parameters, and gradients for those that `wantsGradient` names.
    private struct Built {
        let state = ModelState(seed: 3)
        let run: (Variable, Pass) throws -> Variable

        init(_ operation: OperationCase) {
            run = operation.make(state)
            state.allocateGradients()
        }
    }

    @Test(arguments: operations) func valueIsThatOfThePlainTwin(_ operation: OperationCase) throws {
        let built = Built(operation)
        let x = randomTensor(operation.inputShape, key: 5)
        let output = try built.run(Variable(x), Pass(mode: .training)).value
        let expected = operation.twin(
            Grid(shape: x.shape, numbers: x.array.map(Double.init)),
            built.state.parameters.map { $0.value.array.map(Double.init) })
        #expect(output.count == expected.count)
        #expect(relativeError(output.array, expected.map(Float.init)) < 1e-5)
    }

    @Test(arguments: operations.filter(\.takesBFloat16)) func bfloat16RoundsMapsAlone(_ operation: OperationCase) throws
    {
        let x = randomTensor(operation.inputShape, key: 5).cast(to: .bfloat16)
        func gradients(_ x: Tensor) throws -> (value: [Float], input: [Float], parameters: [[Float]]) {
            let built = Built(operation), tape = Tape(), input = Variable(x, needsGradient: true)
            let output = try built.run(input, Pass(mode: .training, tape: tape, elementType: x.elementType))
            try tape.backward(from: output, seed: probe(output.value).cast(to: output.value.elementType))
            let gradient = try #require(input.takeGradient())
            return (
                output.value.cast(to: .float32).array, gradient.cast(to: .float32).array,
                try built.state.parameters.map { try #require($0.gradient).array }
            )
        }
        let rounded = try gradients(x), exact = try gradients(x.cast(to: .float32))
        #expect(relativeError(rounded.value, exact.value) < 6e-3)
        #expect(relativeError(rounded.input, exact.input) < 3e-2)
        for (a, b) in zip(rounded.parameters, exact.parameters) { #expect(relativeError(a, b) < 3e-2) }
    }

    @Test(arguments: operations) func agreesWithFiniteDifferences(_ operation: OperationCase) throws {
        let built = Built(operation), state = built.state
        let x = randomTensor(operation.inputShape, key: 5)
        let tape = Tape()
        let input = Variable(x, needsGradient: true)
        let before = x.array
        let output = try built.run(input, Pass(mode: .training, tape: tape))
        let weights = probe(output.value)
        var ready: [String] = []
        try tape.backward(from: output, seed: weights.copy()) { ready.append($0.name) }
        #expect(ready.sorted() == state.parameters.map(\.name).sorted(), "each parameter is reported once")
        #expect(x.array == before, "an input is never written to")

        func value() throws -> Double {
            try built.run(Variable(x), Pass(mode: .training)).value.innerProduct(weights)
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

    /// What is frozen gets no gradient and changes none of the others; where all is frozen, nothing is recorded.
    @Test(arguments: operations) func frozenInputsAndParametersCostNothing(_ operation: OperationCase) throws {
        let x = randomTensor(operation.inputShape, key: 5)
        func run(input wantsInput: Bool, parameters wantsParameters: Bool) throws -> ([Float]?, [[Float]], Int) {
            let state = ModelState(seed: 3), operationToRun = operation.make(state)
            if wantsParameters { state.allocateGradients() }
            let tape = Tape(), input = Variable(x, needsGradient: wantsInput)
            let output = try operationToRun(input, Pass(mode: .training, tape: tape))
            let recorded = tape.count
            #expect(output === input || output.needsGradient == (recorded > 0))
            try tape.backward(from: output, seed: probe(output.value))
            return (input.takeGradient()?.array, state.parameters.compactMap { $0.gradient?.array }, recorded)
        }
        let whole = try run(input: true, parameters: true)
        let frozenParameters = try run(input: true, parameters: false)
        #expect(frozenParameters.0 == whole.0 && frozenParameters.1.isEmpty)
        let frozenInput = try run(input: false, parameters: true)
        #expect(frozenInput.0 == nil && frozenInput.1 == whole.1)
        let frozen = try run(input: false, parameters: false)
        #expect(frozen.0 == nil && frozen.1.isEmpty && frozen.2 == 0)
    }
}

@Suite struct TapeTests {
    private func layer(_ state: ModelState) -> Convolution2D {
        Convolution2D(Scope(state), inputs: 3, outputs: 4, kernel: 3, padding: 1, bias: true)
    }

    @Test func aSecondPassAddsToTheGradient() throws {
        let state = ModelState(seed: 3), layer = layer(state)
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

    @Test func twoTapesMayHoldOneParameter() throws {
        let state = ModelState(seed: 3), layer = layer(state)
        state.allocateGradients()
        let tapes = [Tape(), Tape()]
        let outputs = tapes.enumerated().map { key, tape in
            layer(Variable(randomTensor([1, 4, 4, 3], key: UInt64(key))), Pass(mode: .training, tape: tape))
        }
        for (tape, output) in zip(tapes, outputs) {
            var ready: [String] = []
            try tape.backward(from: output, seed: randomTensor(output.value.shape, key: 9)) { ready.append($0.name) }
            #expect(ready.sorted() == ["bias", "weight"])
        }
    }

    /// Pyramids read a map that a normalisation reads too.
    @Test func aConvolutionsOutputMayBeReadTwice() throws {
        let state = ModelState(seed: 3)
        let convolution = Convolution2D(Scope(state), inputs: 3, outputs: 4, kernel: 3, padding: 1)
        let normalization = BatchNormalization(Scope(state, path: "n"), channels: 4)
        let x = Variable(randomTensor([2, 5, 5, 3], key: 1)), pass = Pass(mode: .training)
        let map = convolution(x, pass), before = map.value.array
        _ = try normalization(map, rectify: true, pass)
        #expect(map.value.array == before)
    }

    @Test func anErrorLeavesTheTapeEmpty() throws {
        struct Failure: Error {}
        let state = ModelState(seed: 3), layer = layer(state), tape = Tape()
        state.allocateGradients()
        let pass = Pass(mode: .training, tape: tape)
        let y = rectify(layer(Variable(randomTensor([1, 4, 4, 3], key: 1)), pass), pass)
        #expect(throws: Failure.self) {
            try tape.backward(from: y, seed: randomTensor(y.value.shape, key: 2)) { _ in throw Failure() }
        }
        #expect(tape.count == 0)
    }

    @Test func imagesGetAGradientWhereItIsAskedFor() throws {
        let state = ModelState(seed: 3), network = ResNet(.tiny, Scope(state))
        let tape = Tape(), images = Variable(randomTensor([2, 32, 32, 3], key: 1), needsGradient: true)
        let features = try network(images, Pass(mode: .training, tape: tape))
        try tape.backward(from: features, seed: randomTensor(features.value.shape, key: 2))
        let gradient = try #require(images.takeGradient())
        #expect(gradient.array.contains { $0 != 0 } && gradient.array.allSatisfy(\.isFinite))
    }
}
