import Checkpointing
import Files
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import PixelLearning
import SystemPackage
import TensorCore
import Training

/// A trained backbone as a file that other libraries load: torchvision's names, OIHW, and a card in the metadata.
struct BackboneExport {
    enum Encoder: String, CaseIterable, Sendable {
        /// The network that was trained: what the published results use.
        case online
        /// Its moving average.
        case momentum

        var map: ExportMap {
            self == .online ? PretrainingTask.onlineEncoder : PretrainingTask.momentumEncoder
        }
    }

    private let weights: WeightsExport
    private var reader: CheckpointReader { weights.reader }

    /// Opens the checkpoint of `step`, or the newest. Collective.
    init(runDirectory: FilePath, step: Int?, communicator: any Collective) throws {
        weights = try WeightsExport(runDirectory: runDirectory, step: step, communicator: communicator)
    }

    /// Writes the file on rank zero; returns a sentence about it. Collective.
    ///
    /// With a picture, `<path without .safetensors>.example.safetensors` holds it as the network sees it (`image`
    /// [1, 3, H, W]) and what the network makes of it (`c5`), so that any other loader can be checked against this one.
    func write(_ encoder: Encoder, to path: FilePath, example picture: FilePath? = nil) throws -> String {
        let renamed = try weights.tensors(encoder.map)
        try reader.communicator.agree(on: "writing \(path.shown)") {
            guard reader.communicator.isRoot else { return }
            try SafetensorsFile.write(renamed, metadata: try card(encoder), to: path)
            if let picture { try writeExample(picture, renamed, to: path) }
        }
        let threads = ComputeThreads.shared.threads
        return "wrote \(path.shown): \(renamed.count) tensors of the \(encoder.rawValue) encoder "
            + "(\(reader.manifest.facts.architecture["architecture"] ?? "?")) at step \(reader.manifest.facts.step)"
            + (picture.map {
                "; beside it \($0.shown) and its features, by \(threads) thread\(threads == 1 ? "" : "s")"
            }
                ?? "")
    }

    private func writeExample(_ picture: FilePath, _ tensors: [NamedTensor], to path: FilePath) throws {
        let run = try RunConfiguration.parse(
            yaml: reader.manifest.facts.configuration, name: reader.directory.shown, tasks: tasks
        ).configuration
        let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        let state = ModelState(seed: 0)
        let network = ResNet(run.pretraining().model.architecture, Scope(state))
        try ModelFile.load(state) { byName[$0]!.tensor! }
        let size = 224
        let bytes = try WholeFile.bytes(of: picture)
        let image: Tensor
        do { image = try EvaluationTransform.centerView(bytes, imageSize: size) } catch let error as ImageError {
            throw TrainingError("\(picture.shown) \(error.reason)")
        }
        let features = try network(Variable(image.reshaped([1, size, size, 3])), Pass(mode: .evaluation)).value
        let (rows, columns, channels) = (features.shape[1], features.shape[2], features.shape[3])
        try SafetensorsFile.write(
            [
                NamedTensor(
                    name: "image",
                    tensor: image.permutedInner(outer: 1, rows: size * size, columns: 3).reshaped([1, 3, size, size])),
                NamedTensor(
                    name: "c5",
                    tensor: features.permutedInner(outer: 1, rows: rows * columns, columns: channels)
                        .reshaped([1, channels, rows, columns])),
            ],
            metadata: ["picture": picture.text, "format": "pt"],
            to: Self.examplePath(beside: path))
    }

    private static func examplePath(beside path: FilePath) -> FilePath {
        var path = path
        if path.extension == "safetensors" { path.extension = nil }
        return path.appending(suffix: ".example.safetensors")
    }

    /// What someone who is handed the file must know to use it.
    private func card(_ encoder: Encoder) throws -> [String: String] {
        let facts = reader.manifest.facts
        let run = try RunConfiguration.parse(
            yaml: facts.configuration, name: reader.directory.shown, tasks: tasks
        ).configuration
        let settings = run.pretraining(), architecture = settings.model.architecture
        return weights.facts.merging([
            "architecture": architecture.rawValue,
            "layout": "torchvision ResNet v1.5 without fc; OIHW", "encoder": encoder.rawValue,
            "color": "RGB in 0…1, then (x - mean) / std", "mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225",
            "trained_image_size": "\(settings.views.imageSize)",
            "output": "C5, stride 32, "
                + "\(architecture.top.channels) channels",
            "method": "\(settings.model.method.rawValue), dialect \(settings.model.dialect.rawValue)",
            "epochs": "\(facts.counters["epoch"] ?? 0) of \(run.schedule.epochs)",
            "global_batch": run.batch.global.map(String.init) ?? "\(run.batch.perRank ?? 0) per rank",
            "configuration": facts.configuration,
        ]) { $1 }
    }
}
