import Checkpointing
import Files
import Learning
import NeuralNetwork
import PixelLearning
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Weights to begin with, from files that PyTorch and this program wrote.
@Suite struct StartingWeightsTests {
    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .pushing(FilePath("References/Weights"))

    private func task(_ start: FilePath, _ architecture: ResNetArchitecture = .tiny, width: Int = 8) -> PretrainingTask
    {
        var settings = PretrainingSettings()
        settings.model.architecture = architecture
        settings.model.projectorWidth = width
        settings.model.projectionChannels = 8
        settings.start = start
        return PretrainingTask(settings)
    }

    private func expectEncoder(_ task: PretrainingTask, names: [String], _ expected: SafetensorsFile) throws {
        let entries = Dictionary(
            uniqueKeysWithValues: task.states.flatMap { StateDictionary($0).entries }.map { ($0.name, $0) })
        for tensor in expected.tensors {
            let name = tensor.name.replacing("module.encoder.", with: "")
            for prefix in names {
                let entry = try #require(entries[prefix + name], "\(prefix + name)")
                #expect(try entry.read().array == expected.readTensor(tensor.name).array, "\(prefix + name)")
            }
        }
    }

    @Test(arguments: ["published.pth", "published-before.pth", "published.safetensors"])
    func aPublishedCheckpointIsTheEncodersBeginningBitForBit(_ name: String) throws {
        let task = task(Self.folder.appending(name)), lines = try task.beginWithWeights()
        let expected = try SafetensorsFile(path: Self.folder.appending("published.safetensors"))
        try expectEncoder(task, names: ["encoder.", "encoder_k."], expected)
        if name.hasSuffix(".pth") {
            #expect(lines.count == 2 && lines[1].contains("opt (argparse.Namespace)"), "\(lines)")
            #expect(lines[1].contains("optimizer.state.0.momentum_buffer"))
        } else {
            #expect(lines.count == 2 && lines[1].contains("random: projector."), "\(lines)")
        }
        #expect(lines[0].contains(name))
    }

    /// A backbone alone, as torchvision and exports name it, also behind a prefix; what is no part of it stays.
    @Test(arguments: ["", "backbone.", "module.backbone.", "encoder."]) func aBackboneAloneIsTaken(_ prefix: String)
        throws
    {
        let expected = try SafetensorsFile(path: Self.folder.appending("published.safetensors"))
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/w.safetensors")
            let backbone = try expected.tensors.map { tensor in
                try expected.read(tensor.name).renamed(prefix + tensor.name.replacing("module.encoder.", with: ""))
            }
            try SafetensorsFile.write(
                backbone + [NamedTensor(name: prefix + "fc.weight", tensor: Tensor([2, 32]))], to: path)
            let task = task(path, width: 16), lines = try task.beginWithWeights()
            try expectEncoder(task, names: ["encoder.", "encoder_k."], expected)
            #expect(lines.last == "left in it: \(prefix)fc.weight")
        }
    }

    @Test func anotherArchitectureIsRefusedAndNothingWritten() throws {
        let task = task(Self.folder.appending("published.pth"), .resnet18)
        let before = task.model.online.parameters[0].value.array
        let error = #expect(throws: FileError.self) { try task.beginWithWeights() }
        #expect("\(error!)".contains("another architecture: 'model.module.encoder."), "\(error!)")
        #expect("\(error!)".contains(" here") && "\(error!)".contains("tensors are not there"), "\(error!)")
        #expect(task.model.online.parameters[0].value.array == before)
    }

    /// A projector of another width is none of the encoder's.
    @Test func aProjectorOfAnotherWidthIsLeft() throws {
        let lines = try task(Self.folder.appending("published.pth"), width: 16).beginWithWeights()
        #expect(lines[0].contains(": encoder ") && lines[0].contains(", projector "), "\(lines)")
        #expect(lines[1].contains("of other shapes in it, and random: 'projector.linear1.weight' is"), "\(lines)")
    }

    @Test func numbersThatAreNotFiniteAreRefusedByName() throws {
        let good = try SafetensorsFile(path: Self.folder.appending("published.safetensors"))
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/w.safetensors")
            let name = try #require(good.tensors.first { $0.name.hasSuffix("layer1.0.conv1.weight") }?.name)
            let wrong = try good.readTensor(name)
            wrong.floats[3] = .nan
            let others = try good.tensors.filter { $0.name != name }.map { try good.read($0.name) }
            try SafetensorsFile.write(others + [NamedTensor(name: name, tensor: wrong)], to: path)
            let task = task(path), before = task.model.online.parameters[0].value.array
            let error = #expect(throws: FileError.self) { try task.beginWithWeights() }
            #expect("\(error!)".contains("'\(name)' has numbers that are not finite"), "\(error!)")
            #expect(task.model.online.parameters[0].value.array == before)
        }
    }

    @Test func twoTensorsThatCouldBeOneAreAnError() throws {
        try withTemporaryDirectory { directory in
            let path = FilePath(directory + "/w.safetensors")
            for other in ["module.a", "backbone.a"] {
                try SafetensorsFile.write(
                    ["a", other].map { NamedTensor(name: $0, tensor: Tensor([1], [1])) }, to: path)
                let error = #expect(throws: FileError.self) { try StartingWeights(path: path) }
                #expect("\(error!)".contains("two tensors that could be one"))
            }
        }
    }
}
