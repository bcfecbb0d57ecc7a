import Learning
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct ModelFileTests {
    private struct Missing: Error { let name: String }

    /// The tensors of a file that a network of 4 to 32 channels can be filled from.
    private func tensors(prefix: String) -> [String: Tensor] {
        let state = ModelState(seed: 1)
        _ = ResNet(.tiny, Scope(state, path: "encoder"))
        let entries = StateDictionary(state).entries
        return Dictionary(
            uniqueKeysWithValues: entries.enumerated().map {
                (prefix + $1.name, randomTensor($1.shape, key: UInt64($0)))
            })
    }

    private func load(_ tensors: [String: Tensor], prefix: String) throws -> ModelState {
        let state = ModelState(seed: 2)
        _ = ResNet(.tiny, Scope(state, path: "encoder"))
        try ModelFile.load(state, prefix: prefix) { name in
            guard let tensor = tensors[name] else { throw Missing(name: name) }
            return tensor
        }
        return state
    }

    @Test(arguments: ["", "weights."]) func everyTensorComesFromTheOneOfItsName(_ prefix: String) throws {
        let tensors = tensors(prefix: prefix)
        let state = try load(tensors, prefix: prefix)
        #expect(tensors.count == state.parameters.count + 2 * state.statistics.count)
        for parameter in state.parameters {
            let file = try #require(tensors[prefix + parameter.name]), value = parameter.value
            guard value.shape.count == 4 else {
                #expect(value.array == file.array, "\(parameter.name)")
                continue
            }
            // OIHW in the file, OHWI in the model.
            let (o, h, w, i) = (value.shape[0], value.shape[1], value.shape[2], value.shape[3])
            var expected: [Float] = []
            for o in 0..<o {
                for y in 0..<h {
                    for x in 0..<w { for c in 0..<i { expected.append(file.floats[((o * i + c) * h + y) * w + x]) } }
                }
            }
            #expect(value.array == expected, "\(parameter.name)")
        }
        for statistics in state.statistics {
            #expect(statistics.mean.array == tensors["\(prefix)\(statistics.name).running_mean"]?.array)
            #expect(statistics.variance.array == tensors["\(prefix)\(statistics.name).running_var"]?.array)
        }
    }

    @Test func whatIsMissingOrOfAnotherShapeIsNamed() {
        var tensors = tensors(prefix: "weights.")
        let name = "weights.encoder.layer2.0.downsample.0.weight"
        #expect(tensors[name]?.shape == [8, 4, 1, 1])
        tensors[name] = Tensor.zeros([8, 1, 1, 4])
        let misshapen = #expect(throws: ModelFileError.self) { try load(tensors, prefix: "weights.") }
        #expect(misshapen?.description.contains("'\(name)' is [8, 1, 1, 4] in the file") == true)
        #expect(misshapen?.description.contains("this model has [8, 4, 1, 1]") == true)
        tensors[name] = nil
        let missing = #expect(throws: Missing.self) { try load(tensors, prefix: "weights.") }
        #expect(missing?.name == name)
    }
}
