import Checkpointing
import Foundation
import ImagePipeline
import Learning
import NeuralNetwork
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

@Suite(.serialized) struct ExportTests {
    /// A ResNet-18 of an exported file on its example: C5 as [1, C, h, w].
    private func features(_ exported: SafetensorsFile, _ image: Tensor) throws -> Tensor {
        let state = ModelState(seed: nil), size = image.shape[2]
        let network = ResNet(.resnet18, Scope(state))
        try ModelFile.load(state, read: exported.readTensor)
        let pixels = image.permutedInner(outer: 1, rows: 3, columns: size * size).reshaped([1, size, size, 3])
        let map = try network(Variable(pixels), Pass(mode: .evaluation)).value
        let (rows, columns, channels) = (map.shape[1], map.shape[2], map.shape[3])
        return map.permutedInner(outer: 1, rows: rows * columns, columns: channels)
            .reshaped([1, channels, rows, columns])
    }

    /// What was trained is in every file, and where it was trained in none.
    @Test(arguments: ["pixpro", "torchvision", "timm", "openmmlab", "detectron2", "onnx"])
    func everyFormatTellsWhatShapedTheWeightsAndNothingOfItsMachine(_ format: String) throws {
        try SmallRun.withTrained { run in
            let path = run.directory + "/exported"
            let result = try MPILauncher.run(
                "pixpro", ranks: 1, ["export", run.run, "-o", path, "--format", format, "--network", "momentum"])
            #expect(result.status == 0 && result.output.contains("of the momentum network"), "\(result)")
            var files = [path]
            if format == "timm" {
                files = try FileManager.default.contentsOfDirectory(atPath: path).sorted().map { "\(path)/\($0)" }
                #expect(
                    files.map { $0.split(separator: "/").last! } == ["README.md", "config.json", "model.safetensors"])
            }
            for file in files {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
                for folder in [SmallRun.data, SmallRun.project, NSHomeDirectory() + "/"] {
                    #expect(bytes.range(of: Data(folder.utf8)) == nil, "\(file) names \(folder)")
                }
                guard !file.hasSuffix("config.json") else { continue }
                for fact in ["0.485", "momentum", "resnet18", "trained_image_size"] {
                    #expect(bytes.range(of: Data(fact.utf8)) != nil, "\(file) lacks \(fact)")
                }
                guard !file.hasSuffix("README.md") else { continue }
                #expect(bytes.range(of: Data("projectorWidth: 64".utf8)) != nil, "\(file) lacks its configuration")
            }
        }
    }

    @Test func whatCannotBeWrittenIsRefused() throws {
        try SmallRun.withTrained { run in
            for (options, words) in [
                (["--format", "caffe"], "caffe"), (["--normalize"], "--format onnx"),
                (["--network", "detector"], "no network 'detector'"),
            ] {
                let result = try MPILauncher.run(
                    "pixpro", ranks: 1, ["export", run.run, "-o", run.directory + "/x"] + options)
                #expect(result.status != 0 && result.errorOutput.contains(words), "\(result)")
                #expect(!FileManager.default.fileExists(atPath: run.directory + "/x"))
            }
        }
    }

    @Test func anExportedBackboneHasTheCheckpointsTensorsAndComputesItsExample() throws {
        try SmallRun.with { run in
            let trained = try run.train(ranks: 1, ["schedule.steps=2"])
            #expect(trained.status == 0, "\(trained)")
            let shard = try SafetensorsFile(
                path: "\(run.run)/checkpoints/step-00000002/shard-00001-of-00001.safetensors")
            let picture = SmallRun.data + "/images/train/" + "stripes/0000.jpg"
            for (encoder, prefix) in [("online", "encoder."), ("momentum", "encoder_k.")] {
                let path = run.directory + "/\(encoder).safetensors"
                let arguments = ["export", run.run, "-o", path, "--network", encoder, "--example", picture]
                let result = try MPILauncher.run("pixpro", ranks: 1, arguments)
                #expect(result.status == 0, "\(result)")
                let threads = "\(SmallRun.cores) thread\(SmallRun.cores == 1 ? "" : "s")"
                #expect(result.output.contains("beside it \(picture) and its features, by \(threads)"), "\(result)")

                let exported = try SafetensorsFile(path: FilePath(path))
                let names = shard.tensors.map(\.name).filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
                #expect(names.count == 20 * 6 && Set(names.map(String.init)) == Set(exported.tensors.map(\.name)))
                for name in exported.tensors.map(\.name) {
                    let ours = try exported.read(name), saved = try shard.read(prefix + name)
                    #expect(ours.shape == saved.shape && ours.tensor?.array == saved.tensor?.array, "\(name)")
                    #expect(ours.integers == saved.integers, "\(name)")
                }

                let example = try SafetensorsFile(path: FilePath(run.directory + "/\(encoder).example.safetensors"))
                let image = try example.readTensor("image"), size = 224
                let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: picture)))
                let view = try EvaluationTransform.centerView(bytes, imageSize: size)
                #expect(image.shape == [1, 3, size, size])
                #expect(
                    image.array == view.permutedInner(outer: 1, rows: size * size, columns: 3).array)
                let c5 = try example.readTensor("c5")
                #expect(c5.shape == [1, 512, 7, 7])
                #expect(relativeError(try features(exported, image), c5) < 1e-5)
            }
        }
    }
}
