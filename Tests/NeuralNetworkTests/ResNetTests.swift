import NeuralNetwork
import TensorCore
import TestSupport
import Testing

@Suite struct ResNetTests {
    /// Parameter counts of torchvision's models without the classifier.
    @Test(arguments: [
        (ResNetArchitecture.resnet18, 11_176_512), (.resnet34, 21_284_672), (.resnet50, 23_508_032),
        (.resnet101, 42_500_160), (.resnet152, 58_143_808),
    ]) func hasTorchvisionsParameters(_ architecture: ResNetArchitecture, _ count: Int) {
        let state = ModelState(seed: 1)
        _ = ResNet(architecture, Scope(state))
        #expect(state.parameters.reduce(0) { $0 + $1.value.count } == count)
        #expect(Set(state.parameters.map(\.name)).count == state.parameters.count)
    }

    @Test func namesAndLayoutsAreTorchvisions() throws {
        let state = ModelState(seed: 1)
        _ = ResNet(.resnet50, Scope(state, path: "encoder"))
        let dictionary = StateDictionary(state, strippingPrefix: "encoder.")
        let shapes = Dictionary(uniqueKeysWithValues: dictionary.entries.map { ($0.name, $0.shape) })
        #expect(shapes["conv1.weight"] == [64, 3, 7, 7])
        #expect(shapes["layer1.0.downsample.0.weight"] == [256, 64, 1, 1])
        #expect(shapes["layer4.2.bn3.running_var"] == [2048])
        #expect(dictionary.counters.contains { $0.name == "layer4.2.bn3.num_batches_tracked" })
        #expect(shapes.count == 53 + 53 * 4 && dictionary.counters.count == 53)
    }

    @Test func filesRoundTripThroughOIHW() throws {
        let value = randomTensor([4, 3, 3, 2], key: 1)
        let entry = StateDictionary.entry("w", of: value)
        let file = entry.read()
        #expect(file.shape == [4, 2, 3, 3])
        // OIHW [1, 1, 2, 0] is OHWI [1, 2, 0, 1].
        let oihw = 1 * 18 + 1 * 9 + 2 * 3, ohwi = 1 * 18 + 2 * 6 + 0 * 2 + 1
        #expect(file.floats[oihw] == value.floats[ohwi])
        let before = value.array
        value.fill(0)
        entry.write(file)
        #expect(value.array == before)
    }

    @Test func whatIsPutIntoTheRoomIsTaken() {
        let kernel = randomTensor([4, 3, 3, 2], key: 1), before = kernel.array
        let entry = StateDictionary.entry("w", of: kernel), room = entry.room()
        room.copy(from: entry.read())
        kernel.fill(0)
        entry.take(room)
        #expect(kernel.array == before)
        let vector = randomTensor([5], key: 2), own = StateDictionary.entry("b", of: vector)
        own.room().fill(3)
        own.take(own.room())
        #expect(vector.array == [3, 3, 3, 3, 3])
    }

    @Test func startsAsPublished() {
        let state = ModelState(seed: 1)
        _ = ResNet(.resnet18, Scope(state))
        let byName = Dictionary(uniqueKeysWithValues: state.parameters.map { ($0.name, $0.value) })
        let conv = byName["layer1.0.conv1.weight"]!
        let deviation = (conv.sumOfSquares / Double(conv.count)).squareRoot()
        #expect(abs(deviation - (2.0 / (9 * 64)).squareRoot()) < 1e-3)
        #expect(byName["layer1.0.bn1.weight"]!.array.allSatisfy { $0 == 1 })
        #expect(byName["layer1.0.bn2.weight"]!.array.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [(ResNetArchitecture.resnet18, 64, 2), (.resnet50, 96, 3), (.resnet18, 100, 4), (.tiny, 64, 2)])
    func mapsHaveTheirStrides(_ architecture: ResNetArchitecture, _ size: Int, _ side: Int) throws {
        let net = ResNet(architecture, Scope(ModelState(seed: 1)))
        let maps = try net.maps(Variable(randomTensor([1, size, size, 3], key: 1)), Pass(mode: .training))
        #expect(maps.map { $0.value.shape[3] } == (1...4).map { architecture.channels(stage: $0) })
        #expect(maps[3].value.shape == [1, side, side, architecture.levels()[3].channels])
        #expect(maps[0].value.shape[1] == (size + 3) / 4)
    }

    /// Dilated stages see what striding ones see, at every place: every other place of theirs is the same. (Not so for
    /// basic blocks, whose first block has a 3×3 behind its stride and keeps the dilation before it all the same.)
    @Test func dilatedStagesComputeTheSame() throws {
        func maps(_ outputStride: Int) throws -> [Tensor] {
            let state = ModelState(seed: 1), net = ResNet(.resnet50, Scope(state), outputStride: outputStride)
            for parameter in state.parameters where parameter.isVector { parameter.value.fill(0.5) }
            let images = randomTensor([1, 64, 64, 3], key: 2)
            return try net.maps(Variable(images), Pass(mode: .evaluation)).map(\.value)
        }
        let plain = try maps(32)
        for (outputStride, sides) in [(16, [16, 8, 4, 4]), (8, [16, 8, 8, 8])] {
            let dilated = try maps(outputStride)
            #expect(dilated.map { $0.shape[1] } == sides)
            for (wide, narrow) in zip(dilated, plain) {
                let step = wide.shape[1] / narrow.shape[1], side = narrow.shape[1], channels = narrow.shape[3]
                let every = (0..<side * side).flatMap { place in
                    let start = (place / side * step * wide.shape[2] + place % side * step) * channels
                    return wide.array[start..<start + channels]
                }
                #expect(relativeError(every, narrow.array) < 1e-5, "output stride \(outputStride)")
            }
        }
    }

    @Test(arguments: [ResNetArchitecture.tiny, .resnet18], [(16, [16, 8, 4, 4]), (8, [16, 8, 8, 8])])
    func basicBlocksDilateToo(_ architecture: ResNetArchitecture, _ expected: (stride: Int, sides: [Int])) throws {
        let net = ResNet(architecture, Scope(ModelState(seed: 1)), outputStride: expected.stride)
        let images = Variable(randomTensor([1, 64, 64, 3], key: 2))
        #expect(try net.maps(images, Pass(mode: .evaluation)).map { $0.value.shape[1] } == expected.sides)
    }

    @Test func levelsTellStrideAndChannels() {
        let net = ResNet(.resnet50, Scope(ModelState(seed: 1)), outputStride: 16)
        #expect(net.levels.map(\.name) == ["C2", "C3", "C4", "C5"])
        #expect(net.levels.map(\.stride) == [4, 8, 16, 16] && net.top.channels == 2048)
        #expect(net.top.cells(100) == 7)
    }

    @Test func frozenStagesNeitherLearnNorMoveTheirStatistics() throws {
        let state = ModelState(seed: 1), net = ResNet(.tiny, Scope(state)), tape = Tape()
        state.allocateGradients()
        let frozen = net.parameters(ofFirst: 2), names = Set(frozen.map(\.name))
        #expect(names.contains("conv1.weight") && names.contains("layer2.0.bn2.bias"))
        #expect(!names.contains { $0.hasPrefix("layer3") })
        for parameter in frozen { parameter.isHeld = true }
        net.keepStatistics(ofFirst: 2)
        let output = try net(Variable(randomTensor([2, 64, 64, 3], key: 1)), Pass(mode: .training, tape: tape))
        var ready: [String] = []
        try tape.backward(from: output, seed: randomTensor(output.value.shape, key: 2)) { ready.append($0.name) }
        #expect(Set(ready) == Set(state.parameters.map(\.name)).subtracting(names))
        for statistics in state.statistics {
            let isFrozen = !statistics.name.hasPrefix("layer3") && !statistics.name.hasPrefix("layer4")
            #expect((statistics.batchesTracked == 0) == isFrozen, "\(statistics.name)")
        }
    }
}
