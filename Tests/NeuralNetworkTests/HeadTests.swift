import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Pyramids and heads: sizes, names, and that their way back is the derivative of their way forward.
@Suite struct HeadTests {
    private let inputs = [(8, 4), (16, 6), (32, 8)].enumerated().map { index, level in
        BackboneLevel(name: "C\(index + 3)", stride: level.0, channels: level.1)
    }

    /// Of an image of 104 × 72 pixels: 13 × 9, 7 × 5 and 4 × 3 cells, none twice the next.
    private func maps(_ type: ElementType = .float32) -> [Variable] {
        inputs.enumerated().map { index, level in
            let shape = [2, level.cells(104), level.cells(72), level.channels]
            return Variable(randomTensor(shape, key: UInt64(index)).cast(to: type), needsGradient: true)
        }
    }

    @Test(arguments: [false, true], [ElementType.float32, .bfloat16])
    func aPyramidHasAMapForEachLevelAndTwoOnTop(_ normalizes: Bool, _ type: ElementType) throws {
        let state = ModelState(seed: 1)
        let pyramid = FeaturePyramid(Scope(state), inputs: inputs, channels: 16, normalizes: normalizes, topLevels: 2)
        let outputs = try pyramid(maps(type), Pass(mode: .training, elementType: type))
        #expect(
            outputs.map(\.value.shape) == [
                [2, 13, 9, 16], [2, 7, 5, 16], [2, 4, 3, 16], [2, 2, 2, 16], [2, 1, 1, 16],
            ])
        #expect(outputs.allSatisfy { $0.value.elementType == type })
        #expect(pyramid.levels.map(\.name) == ["P3", "P4", "P5", "P6", "P7"])
        #expect(pyramid.levels.map(\.stride) == [8, 16, 32, 64, 128])
        let names = Set(state.parameters.map(\.name))
        #expect(names.contains("lateral3.bn.weight") == normalizes && names.contains("output5.conv.bias") != normalizes)
        #expect(names.isSuperset(of: ["lateral3.conv.weight", "output5.conv.weight", "p6.weight", "p7.bias"]))
        #expect(state.statistics.count == (normalizes ? 6 : 0))
    }

    @Test func pyramidsStartUniformlyWithoutBias() throws {
        let state = ModelState(seed: 1)
        _ = FeaturePyramid(Scope(state), inputs: inputs, channels: 64, normalizes: false)
        let byName = Dictionary(uniqueKeysWithValues: state.parameters.map { ($0.name, $0.value.array) })
        let weights = try #require(byName["output4.conv.weight"]), bound = Float(3.0 / (9 * 64)).squareRoot()
        let largest = weights.reduce(0) { max($0, abs($1)) }
        #expect(largest <= bound && largest > 0.99 * bound)
        #expect(byName["output4.conv.bias"]?.allSatisfy { $0 == 0 } == true)
    }

    /// A pyramid in torchvision's FCOS with 256 channels on ResNet-50, and its two towers.
    @Test func publishedSizes() {
        let pyramid = ModelState(seed: 1), towers = ModelState(seed: 1)
        let levels = Array(ResNetArchitecture.resnet50.levels().dropFirst())
        _ = FeaturePyramid(Scope(pyramid), inputs: levels, channels: 256, normalizes: false, topLevels: 2)
        #expect(pyramid.parameters.reduce(0) { $0 + $1.value.count } == 3_868_672)
        for name in ["cls", "bbox"] { _ = DetectorTower(Scope(towers, path: name), channels: 256, depth: 4) }
        // Of the head's 4,946,016, all but 3×3 convolutions to 91 classes, 4 distances and a centerness.
        #expect(towers.parameters.reduce(0) { $0 + $1.value.count } == 4_946_016 - 96 * (9 * 256 + 1))
    }

    /// Σ r·f over all outputs of a function, and what its way back says of a direction, against two values beside.
    private func checkDerivative(
        _ state: ModelState, _ inputs: [Variable], _ run: ([Variable], Pass) throws -> [Variable]
    ) throws {
        func joined(_ outputs: [Variable], _ pass: Pass) -> Variable {
            let terms = outputs.enumerated().map { index, output in
                let weights = randomTensor(output.value.shape, key: UInt64(50 + index))
                return pass.output(Tensor([1], [Float(output.value.innerProduct(weights))]), of: [output]) { seed in
                    weights.scaleInPlace(seed.floats[0])
                    output.receive(weights)
                }
            }
            return terms.dropFirst().reduce(terms[0]) { add($0, $1, weight: 1, pass) }
        }
        state.allocateGradients()
        let tape = Tape(), pass = Pass(mode: .training, tape: tape)
        try tape.backward(from: joined(try run(inputs, pass), pass), seed: Tensor([1], [1]))
        let tensors = inputs.map(\.value) + state.parameters.map(\.value)
        let gradients = try inputs.map { try #require($0.takeGradient()) } + state.parameters.map { $0.gradient! }
        // In proportion to what is moved: kernels before a normalisation have no size of their own.
        let directions = tensors.enumerated().map { index, tensor in
            let size = (tensor.sumOfSquares / Double(tensor.count)).squareRoot()
            return randomTensor(tensor.shape, key: UInt64(90 + index), scale: max(size, 0.01))
        }
        let slope = zip(gradients, directions).reduce(0.0) { $0 + $1.0.innerProduct($1.1) }
        func value(_ step: Float) throws -> Double {
            for (tensor, direction) in zip(tensors, directions) {
                for i in 0..<tensor.count { tensor.floats[i] += step * direction.floats[i] }
            }
            let pass = Pass(mode: .training)
            return try run(inputs, pass).enumerated().reduce(0.0) {
                $0 + $1.element.value.innerProduct(randomTensor($1.element.value.shape, key: UInt64(50 + $1.offset)))
            }
        }
        let above = try value(1e-4), below = try value(-2e-4)
        #expect(abs((above - below) / 2e-4 - slope) < 2e-2 * abs(slope), "\((above - below) / 2e-4) against \(slope)")
    }

    @Test(arguments: [false, true]) func aPyramidsGradientIsItsDerivative(_ normalizes: Bool) throws {
        let state = ModelState(seed: 1)
        let pyramid = FeaturePyramid(Scope(state), inputs: inputs, channels: 8, normalizes: normalizes, topLevels: 2)
        try checkDerivative(state, maps()) { try pyramid($0, $1) }
    }

    @Test func aTowersGradientIsItsDerivative() throws {
        let state = ModelState(seed: 1), tower = DetectorTower(Scope(state), channels: 32, depth: 2)
        try checkDerivative(state, [Variable(randomTensor([2, 5, 4, 32], key: 1), needsGradient: true)]) {
            [tower($0[0], $1)]
        }
    }

    @Test func aSegmentationHeadsGradientIsItsDerivative() throws {
        let state = ModelState(seed: 1), head = FCNHead(Scope(state), inputs: 8, channels: 6, classes: 3, dilation: 2)
        #expect(state.parameters.map(\.name).contains("convs.1.bn.weight"))
        try checkDerivative(state, [Variable(randomTensor([2, 5, 6, 8], key: 1), needsGradient: true)]) {
            [try head($0[0], $1)]
        }
    }
}
