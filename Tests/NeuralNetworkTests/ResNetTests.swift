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
        #expect(maps[3].value.shape == [1, side, side, architecture.outputChannels])
        #expect(maps[0].value.shape[1] == (size + 3) / 4)
    }
}
