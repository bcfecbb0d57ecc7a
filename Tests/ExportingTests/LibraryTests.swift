import Checkpointing
import DenseTasks
import Exporting
import Foundation
import ImagePipeline
import Inpainting
import NeuralNetwork
import PixelLearning
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Exports in the libraries that they are for: PyTorch, torchvision, timm and ONNX's own runtime.
@Suite(.serialized) struct LibraryTests {
    private static let python = Python.interpreter(
        importing: "torch, torchvision, timm, onnx, onnxruntime, safetensors")
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("References/check_exports.py").path

    static var isThere: Bool { python != nil }

    /// What `check_exports.py` says, a line each.
    private func check(_ arguments: String...) throws -> [String] {
        let result = try runProcess("/usr/bin/env", [Self.python!, Self.script] + arguments, timeLimit: 300)
        try #require(result.status == 0, "\(result)")
        return result.output.split(separator: "\n").map(String.init)
    }

    /// Expects outputs of these names, in this order, as far off as may be.
    private func expect(_ lines: [String], _ names: [String], within tolerance: Double) {
        let outputs = lines.map { ($0.prefix { $0 != " " }, Double($0.split(separator: " ").last!) ?? .nan) }
        #expect(lines.map { $0.split(separator: " ").dropLast().joined(separator: " ") } == names)
        #expect(outputs.allSatisfy { $0.1 < tolerance }, "\(lines)")
    }

    private func write(_ tensors: [(String, Tensor)], to path: String) throws {
        try SafetensorsFile.write(tensors.map { NamedTensor(name: $0.0, tensor: $0.1) }, to: FilePath(path))
    }

    private func maps(_ network: ResNet, _ images: Tensor) throws -> [(String, Tensor)] {
        let maps = try network.maps(Variable(images), Pass(mode: .evaluation))
        return zip(network.levels, maps).map { ($0.name, channelsFirst($1.value)) }
    }

    // MARK: PyTorch

    @Test(
        .enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"),
        arguments: [ResNetArchitecture.resnet18, .resnet50])
    func torchvisionAndTimmComputeTheSameOfABackbone(_ architecture: ResNetArchitecture) throws {
        try withTemporaryDirectory { folder in
            let (model, network) = ExportedModel.backbone(architecture)
            let images = randomTensor([2, 96, 64, 3], key: 1), reference = folder + "/reference"
            try write([("images", channelsFirst(images))] + maps(network, images), to: reference)
            try model.network.write(.torchvision, to: FilePath(folder + "/torchvision"))
            try model.network.write(.timm, to: FilePath(folder + "/timm"))
            expect(
                try check("torchvision", folder + "/torchvision", reference, architecture.rawValue),
                ["C2", "C3", "C4", "C5"], within: 1e-4)
            expect(
                try check("timm", folder + "/timm", reference),
                ["C5", "pooled"] + (2...5).map { "C\($0) alone" }, within: 1e-5)
        }
    }

    @Test(.enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"))
    func torchvisionComputesTheSameOfADetector() throws {
        try withTemporaryDirectory { folder in
            var settings = DetectorSettings()
            (settings.convention, settings.classes) = (.torchvision, 3)
            let (model, detector) = ExportedModel.detector(settings)
            let images = randomTensor([1, 96, 128, 3], key: 2), reference = folder + "/reference"
            let levels = try detector(images, Pass(mode: .evaluation)).levels
            func joined(_ part: (Detector.LevelOutput) -> Variable) -> Tensor {
                let maps = levels.map { part($0).value }, channels = maps[0].shape[3]
                let numbers = maps.flatMap(\.array)
                return Tensor([1, numbers.count / channels, channels], numbers)
            }
            try write(
                [
                    ("images", channelsFirst(images)), ("cls_logits", joined(\.logits)),
                    ("bbox_regression", joined(\.distances)), ("bbox_ctrness", joined(\.centerness)),
                ], to: reference)
            try model.network.write(.torchvision, to: FilePath(folder + "/weights"))
            expect(
                try check("fcos", folder + "/weights", reference, "3"),
                ["cls_logits", "bbox_regression", "bbox_ctrness"], within: 1e-4)
        }
    }

    /// As few kinds of objects as `weights_only` allows are in the files, and every tensor has its bytes.
    @Test(
        .enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"),
        arguments: [(ExportFormat.openmmlab, "state_dict"), (.detectron2, "model")])
    func pyTorchOpensWeightsOnly(_ format: ExportFormat, _ key: String) throws {
        try withTemporaryDirectory { folder in
            var settings = DetectorSettings()
            (settings.architecture, settings.classes) = (.resnet18, 2)
            for (kind, model) in [
                ("backbone", ExportedModel.backbone(.resnet18).0), ("detector", ExportedModel.detector(settings).0),
            ] {
                let path = folder + "/\(kind).pth"
                try model.network.write(format, to: FilePath(path))
                let lines = try check("pth", path, key)
                let file = try openWeights(FilePath(path))
                let ours = try file.tensors.map { tensor in
                    let shape = tensor.shape.map(String.init).joined(separator: "x")
                    let type = tensor.elementType == .int64 ? "int64" : "float32"
                    return "\(tensor.name.dropFirst(key.count + 1)) \(type) \(shape.isEmpty ? "scalar" : shape) "
                        + (try file.read(tensor.name).withBytes { ends(of: $0) })
                }
                #expect(lines.count > 100 && lines.sorted() == ours.sorted(), "\(kind)")
            }
        }
    }

    /// The first and the last 16 bytes in hexadecimal.
    private func ends(of bytes: UnsafeRawBufferPointer) -> String {
        (bytes.prefix(16) + bytes.suffix(16)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: ONNX

    /// Heights and widths: whole strides, odd ones, and less than the largest stride.
    private static let sizes = [(64, 96), (75, 53), (40, 130)]

    /// - Parameter inputs: what a network sees beside images.
    private func checkGraph(
        _ model: ExportedModel, _ outputs: [String], within tolerance: Double, sizes: [(Int, Int)] = Self.sizes,
        _ describe: (GraphBuilder) throws -> Void, _ compute: (Tensor) throws -> [(String, Tensor)],
        counts: (Tensor) throws -> [(String, Tensor)] = { _ in [] },
        inputs: (Tensor) -> [(String, Tensor)] = { _ in [] }
    ) throws {
        try withTemporaryDirectory { folder in
            let graph = GraphBuilder(weights: model.network.tensors.filter { $0.elementType == .float32 })
            try describe(graph)
            try model.network.write(.onnx, to: FilePath(folder + "/model.onnx"), graph: graph)
            var tensors: [NamedTensor] = []
            for (number, size) in sizes.enumerated() {
                let images = randomTensor([number + 1, size.0, size.1, 3], key: UInt64(number))
                tensors.append(NamedTensor(name: "images.\(number)", tensor: channelsFirst(images)))
                for (name, tensor) in try inputs(images) + compute(images) {
                    tensors.append(NamedTensor(name: "\(name).\(number)", tensor: tensor))
                }
                for (name, tensor) in try counts(images) {
                    let integers = NamedTensor(name: name, integers: tensor.array.map { Int64($0) })
                    tensors.append(integers.reshaped(tensor.shape).renamed("\(name).\(number)"))
                }
            }
            try SafetensorsFile.write(tensors, to: FilePath(folder + "/reference"))
            let lines = try check("onnx", folder + "/model.onnx", folder + "/reference")
            expect(lines, sizes.indices.flatMap { size in outputs.map { "\($0).\(size)" } }, within: tolerance)
        }
    }

    @Test(
        .enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"),
        arguments: [
            (ResNetArchitecture.resnet18, 32, true), (.resnet18, 8, false), (.resnet50, 32, false),
            (.resnet50, 16, true),
        ])
    func aRuntimeComputesTheSameOfABackbone(
        _ architecture: ResNetArchitecture, _ stride: Int, _ normalizes: Bool
    ) throws {
        let (model, network) = ExportedModel.backbone(architecture, outputStride: stride)
        try checkGraph(model, ["C2", "C3", "C4", "C5"], within: 1e-4) {
            try $0.describeBackbone(architecture, outputStride: stride, normalizes ? .imageNet : nil)
        } _: { images in
            let (mean, deviation): ([Float], [Float]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            let normal = images.array.enumerated().map { ($1 - mean[$0 % 3]) / deviation[$0 % 3] }
            return try maps(network, normalizes ? Tensor(images.shape, normal) : images)
        }
    }

    @Test(.enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"))
    func aRuntimeComputesTheSameOfAPyramid() throws {
        var settings = PretrainingSettings()
        settings.model.architecture = .resnet18
        (settings.model.pyramid.levels, settings.model.pyramid.channels) = ([3, 4, 5], 64)
        settings.model.pyramid.towerDepth = 2
        let (model, maps) = ExportedModel.pyramid(.resnet18, channels: 64, seed: 6)
        try checkGraph(
            model, ["P3", "P4", "P5"].flatMap { [$0, "\($0).cls", "\($0).bbox"] }, within: 1e-4,
            { try settings.describe("pyramid", in: $0, nil) }, maps)
    }

    @Test(.enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"))
    func aRuntimeComputesTheSameOfASegmenter() throws {
        var settings = SegmentationSettings()
        (settings.model.architecture, settings.model.headChannels) = (.resnet18, 64)
        let (model, segmenter) = ExportedModel.segmenter(settings.model, classes: 5)
        /// [N, K, H, W].
        func logits(_ images: Tensor) throws -> Tensor {
            let maps = try segmenter(images, Pass(mode: .evaluation)).logits.value
            let (n, h, w) = (images.shape[0], images.shape[1], images.shape[2])
            let upsampling = BilinearUpsampling(
                mapRows: maps.shape[1], mapColumns: maps.shape[2], height: h, width: w)
            let whole = Tensor([n, 5, h, w])
            for image in 0..<n {
                let rows = upsampling(maps.rows(image..<image + 1))  // [H, K, W]
                for y in 0..<h {
                    for k in 0..<5 {
                        for x in 0..<w {
                            whole.floats[((image * 5 + k) * h + y) * w + x] = rows.floats[(y * 5 + k) * w + x]
                        }
                    }
                }
            }
            return whole
        }
        func labels(_ logits: Tensor) -> Tensor {
            let (n, h, w) = (logits.shape[0], logits.shape[2], logits.shape[3])
            let best = (0..<n * h * w).map { place -> Float in
                let image = place / (h * w), pixel = place % (h * w)
                func logit(_ k: Int) -> Float { logits.floats[(image * 5 + k) * h * w + pixel] }
                return Float((0..<5).reduce(0) { logit($1) > logit($0) ? $1 : $0 })
            }
            return Tensor([n, h, w], best)
        }
        try checkGraph(model, ["logits", "labels"], within: 1e-4) {
            try settings.describe("segmenter", in: $0, nil)
        } _: {
            [("logits", try logits($0))]
        } counts: {
            [("labels", labels(try logits($0)))]
        }
    }

    @Test(
        .enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"),
        arguments: [DetectionConvention.fcos, .torchvision])
    func aRuntimeComputesTheSameOfADetector(_ convention: DetectionConvention) throws {
        var settings = DetectionSettings()
        settings.model.architecture = .resnet18
        (settings.model.convention, settings.model.classes) = (convention, 3)
        (settings.model.channels, settings.model.towerDepth) = (64, 2)
        settings.model.normalizesPyramid = convention == .torchvision
        let (model, detector) = ExportedModel.detector(settings.model)
        let levels = settings.model.levels.numbers
        try checkGraph(
            model, levels.flatMap { ["boxes.P\($0)", "scores.P\($0)", "classes.P\($0)"] }, within: 1e-4
        ) {
            try settings.describe("detector", in: $0, nil)
        } _: { images in
            let maps = try detector(images, Pass(mode: .evaluation))
            return zip(levels, maps.levels).flatMap { level, output in
                [
                    ("boxes.P\(level)", DecodedLevel.boxes(output, level, images, convention)),
                    ("scores.P\(level)", DecodedLevel.scores(output)),
                ]
            }
        } counts: { images in
            let maps = try detector(images, Pass(mode: .evaluation))
            return zip(levels, maps.levels).map { ("classes.P\($0)", DecodedLevel.classes($1)) }
        }
    }

    /// Pictures with a hole across, with no known patch, and without a hole.
    @Test(
        .enabled(if: isThere, "needs torch, torchvision, timm, onnx, onnxruntime and safetensors (PIXPRO_PYTHON)"),
        arguments: [(InpaintingDialect.published, true), (.paper, true), (.published, false)])
    func aRuntimeComputesTheSameOfAGenerator(_ dialect: InpaintingDialect, _ hasAttention: Bool) throws {
        var settings = InpaintingSettings()
        (settings.model.dialect, settings.model.channels, settings.model.hasAttention) = (dialect, 8, hasAttention)
        let (model, generator) = ExportedModel.generator(settings.model)
        func masks(_ images: Tensor) -> Tensor {
            let (n, h, w) = (images.shape[0], images.shape[1], images.shape[2]), masks = Tensor.zeros([n, h, w, 1])
            for place in 0..<masks.count {
                let image = place / (h * w), y = place / w % h, x = place % w
                let isHole = [(h / 3..<h / 2).contains(y) && x > w / 4, y * w + x > 5, false][image]
                masks.floats[place] = isHole ? 1 : 0
            }
            return masks
        }
        try checkGraph(model, ["filled", "coarse"], within: 1e-4, sizes: [(96, 72), (136, 88), (72, 200)]) {
            try settings.describe("generator", in: $0, nil)
        } _: { images in
            let holes = masks(images), pass = Pass(mode: .evaluation)
            let output = generator(images, masks: holes, .free, pass)
            let filled = pasteIntoHoles(output.fine, of: images, masks: holes, pass).value
            return [("filled", channelsFirst(filled)), ("coarse", channelsFirst(output.coarse.value))]
        } inputs: {
            [("masks", channelsFirst(masks($0)))]
        }
    }
}
