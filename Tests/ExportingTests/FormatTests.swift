import Checkpointing
import DenseTasks
import Exporting
import Files
import Foundation
import ImagePipeline
import NeuralNetwork
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files of each format, read by this program's own readers.
@Suite struct FormatTests {
    static let lists = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("References/Exports").path

    private func read(_ path: String) throws -> any WeightsFile { try openWeights(FilePath(path)) }

    /// "name float32 64x3x7x7", without what a file has in front of all names.
    private func lines(_ file: any WeightsFile, prefix: String) -> [String] {
        file.tensors.filter { $0.name.hasPrefix(prefix) }.map { tensor in
            let type = tensor.elementType == .int64 ? "int64" : tensor.elementType == .float32 ? "float32" : "?"
            let shape = tensor.shape.map(String.init).joined(separator: "x")
            return "\(tensor.name.dropFirst(prefix.count)) \(type) \(shape.isEmpty ? "scalar" : shape)"
        }.sorted()
    }

    private func model(_ kind: String, _ format: ExportFormat) -> ExportedModel {
        switch kind {
        case "backbone": return ExportedModel.backbone(.resnet50, seed: nil).0
        case "segmenter": return ExportedModel.segmenter(SegmenterSettings(), classes: 21, seed: nil).0
        case "pyramid": return ExportedModel.pyramid(.resnet50).0
        default:
            var settings = DetectorSettings()
            settings.convention = format == .torchvision ? .torchvision : .fcos
            return ExportedModel.detector(settings, seed: nil).0
        }
    }

    /// The lists are of the libraries' own networks.
    @Test(arguments: [
        (ExportFormat.torchvision, "backbone"), (.torchvision, "detector"), (.torchvision, "pyramid"),
        (.openmmlab, "backbone"), (.openmmlab, "detector"), (.openmmlab, "pyramid"), (.openmmlab, "segmenter"),
        (.detectron2, "backbone"), (.detectron2, "detector"), (.detectron2, "pyramid"),
    ]) func namesTypesAndShapesAreThoseOfTheLibrary(_ format: ExportFormat, _ kind: String) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/weights"
            try model(kind, format).network.write(format, to: FilePath(path))
            let list = try String(contentsOfFile: "\(Self.lists)/\(format.rawValue)-\(kind).txt", encoding: .utf8)
            let expected = list.split(separator: "\n").map(String.init).sorted()
            let prefix = [.openmmlab: "state_dict.", .detectron2: "model."][format] ?? ""
            let found = lines(try read(path), prefix: prefix)
            #expect(found.count > 200 && found == expected, "\(Set(found).symmetricDifference(expected).prefix(6))")
        }
    }

    /// Libraries count the levels of a pyramid from its finest.
    @Test(arguments: [
        (ExportFormat.torchvision, "backbone.fpn.inner_blocks."), (.openmmlab, "state_dict.neck.lateral_convs."),
    ]) func aPyramidMayBeginOnAnyLevel(_ format: ExportFormat, _ prefix: String) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/weights"
            try ExportedModel.pyramid(.tiny, channels: 32, finest: 2).0.network.write(format, to: FilePath(path))
            let places = try read(path).tensors.map(\.name).filter { $0.hasPrefix(prefix) }.map {
                String($0.dropFirst(prefix.count).prefix { $0 != "." })
            }
            #expect(Set(places) == ["0", "1", "2", "3"])
        }
    }

    /// Where mmdetection's pyramid is normalised, so are its P6 and P7.
    @Test func biasesOfATopLevelAreNormalisationsInMMDetection() throws {
        try withTemporaryDirectory { folder in
            var settings = DetectorSettings()
            (settings.architecture, settings.channels, settings.towerDepth) = (.tiny, 32, 1)
            settings.normalizesPyramid = true
            let path = folder + "/weights", (model, detector) = ExportedModel.detector(settings)
            try model.network.write(.openmmlab, to: FilePath(path))
            let file = try read(path), place = "state_dict.neck.fpn_convs.3."
            let names = Set(file.tensors.map(\.name).filter { $0.hasPrefix(place) }.map { $0.dropFirst(place.count) })
            let normalization = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
            #expect(names == Set(["conv.weight"] + normalization.map { "bn.\($0)"[...] }))
            let bias = try #require(detector.state.parameters.first { $0.name == "pyramid.p6.bias" })
            #expect(try file.read(place + "bn.bias").floats.map { Array($0) } == bias.value.array)
            let variance = try #require(try file.read(place + "bn.running_var").floats?.first)
            #expect(variance + 1e-5 == 1)
        }
    }

    /// Every number of a network is in the file, whatever it is called there.
    @Test(arguments: [ExportFormat.pixpro, .torchvision, .openmmlab, .detectron2])
    func numbersAreThoseOfTheNetworkBitForBit(_ format: ExportFormat) throws {
        try withTemporaryDirectory { folder in
            let path = folder + "/weights", model = ExportedModel.backbone(.resnet18).0
            try model.network.write(format, to: FilePath(path))
            let file = try read(path)
            func contents(_ tensors: [NamedTensor]) -> Set<[UInt8]> { Set(tensors.map { $0.withBytes { Array($0) } }) }
            #expect(
                contents(try file.tensors.map { try file.read($0.name) }) == contents(model.network.tensors)
                    && file.tensors.count == model.network.tensors.count)
        }
    }

    @Test(arguments: ExportFormat.allCases) func equalNetworksMakeEqualBytes(_ format: ExportFormat) throws {
        func bytes(_ reversed: Bool) throws -> [[UInt8]] {
            try withTemporaryDirectory { folder in
                let (model, _) = ExportedModel.backbone(.resnet18), whole = model.network
                let network = ExportedNetwork(
                    name: whole.name, tensors: reversed ? whole.tensors.reversed() : whole.tensors, isBackbone: true,
                    architecture: whole.architecture, card: whole.card)
                let path = FilePath(folder + "/weights")
                let graph = GraphBuilder(weights: network.tensors.filter { $0.elementType == .float32 })
                try graph.describeBackbone(.resnet18, outputStride: 32, .imageNet)
                try network.write(format, to: path, graph: graph)
                guard format == .timm else { return [try WholeFile.bytes(of: path)] }
                return try FileSystem.names(in: path).map { try WholeFile.bytes(of: path.appending($0)) }
            }
        }
        let (first, second) = (try bytes(false), try bytes(true))
        #expect(first == second && first.count == (format == .timm ? 3 : 1))
    }

    @Test func whatALibraryHasNotIsRefusedWithAWayOut() throws {
        func refusal(_ model: ExportedModel, _ format: ExportFormat) -> String {
            do {
                try model.network.write(format, to: "/nonexistent/weights")
                return ""
            } catch { return "\(error)" }
        }
        var settings = DetectorSettings()
        (settings.architecture, settings.channels, settings.towerDepth) = (.tiny, 32, 1)
        let fcos = ExportedModel.detector(settings).0
        #expect(refusal(fcos, .torchvision).contains("detection.convention torchvision"))
        settings.convention = .torchvision
        let other = ExportedModel.detector(settings).0
        #expect(refusal(other, .openmmlab).contains("take the format torchvision"))
        #expect(refusal(other, .detectron2).contains("take the format torchvision"))
        #expect(refusal(other, .timm).contains("backbones alone"))
        #expect(refusal(fcos, .onnx).contains("nobody has said"))
        for (architecture, formats) in [
            (ResNetArchitecture.resnet18, [ExportFormat.timm, .openmmlab, .torchvision, .detectron2]),
            (.resnet50, [.detectron2]),
        ] {
            let dilated = ExportedModel.backbone(architecture, outputStride: 16, seed: nil).0
            for format in formats {
                #expect(
                    refusal(dilated, format).contains("of the output stride 16 that dilates the same"), "\(format)")
            }
        }
        var shape = SegmenterSettings()
        (shape.architecture, shape.headChannels) = (.tiny, 8)
        let segmenter = ExportedModel.segmenter(shape, classes: 3).0
        for format in [ExportFormat.torchvision, .detectron2] {
            #expect(refusal(segmenter, format).contains("decode_head"), "\(format)")
        }
        try withTemporaryDirectory { folder in
            try Data().write(to: URL(fileURLWithPath: folder + "/mine.txt"))
            #expect(throws: (any Error).self) {
                try ExportedModel.backbone(.tiny).0.network.write(.timm, to: FilePath(folder))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["mine.txt"])
        }
    }
}
