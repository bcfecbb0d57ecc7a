import Checkpointing
import Exporting
import Files
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import Settings
import SystemPackage
import TensorCore
import Training

/// A trained network as a file that others load, with a card of what it is.
struct NetworkExport {
    private let weights: WeightsExport
    private let run: RunConfiguration
    private let map: ExportMap
    private var reader: CheckpointReader { weights.reader }
    private var definition: any TaskDefinition { run.definition }

    /// Opens the checkpoint of `step`, or the newest, for one of its task's networks, the first if none is named.
    /// Collective.
    init(_ network: String?, of runDirectory: FilePath, step: Int?, communicator: any Collective) throws {
        weights = try WeightsExport(runDirectory: runDirectory, step: step, communicator: communicator)
        run = try RunConfiguration.parse(
            yaml: weights.reader.manifest.facts.configuration, name: weights.reader.directory.shown, tasks: tasks
        ).configuration
        let maps = run.definition.exportMaps
        guard let map = network == nil ? maps.first : maps.first(where: { $0.name == network }) else {
            throw TrainingError(
                "a run of the task \(run.taskName.name) has no network '\(network ?? "")' to export; it has "
                    + maps.map(\.name).joined(separator: ", "))
        }
        self.map = map
    }

    /// Writes the file, or timm's folder, on rank zero; returns a sentence about it. Collective.
    ///
    /// - Parameter normalizes: whether a graph takes images in 0…1 and normalises them itself.
    ///
    /// With a picture, `<path without .safetensors>.example.safetensors` holds it as a backbone sees it (`image`
    /// [1, 3, H, W]) and what the backbone makes of it (`c5`), so that any other loader can be checked against this one.
    func write(
        _ format: ExportFormat, to path: FilePath, normalizes: Bool = false, example picture: FilePath? = nil
    ) throws -> String {
        let tensors = try weights.tensors(map)
        try reader.communicator.agree(on: "writing \(path.shown)") {
            guard reader.communicator.isRoot else { return }
            let network = ExportedNetwork(
                name: map.name, tensors: tensors, isBackbone: map.backbone != nil,
                architecture: reader.manifest.facts.architecture,
                card: format == .onnx ? card.merging(graphFacts(normalizes)) { $1 } : card)
            let graph = format == .onnx ? try graph(tensors, normalizes ? normalization : nil) : nil
            try network.write(format, to: path, graph: graph)
            if let picture { try writeExample(picture, tensors, to: path) }
        }
        let threads = ComputeThreads.shared.threads, facts = reader.manifest.facts
        let example = picture.map {
            "; beside it \($0.shown) and its features, by \(threads) thread\(threads == 1 ? "" : "s")"
        }
        return "wrote \(path.shown): \(tensors.count) tensors of the \(map.name) network "
            + "(\(facts.architecture["architecture"] ?? "?")) at step \(facts.step)" + (example ?? "")
    }

    /// What those must know who prepare pictures for a graph.
    private func graphFacts(_ normalizes: Bool) -> [String: String] {
        normalizes
            ? ["normalizes": "true", "color": "RGB in 0…1, as they are: the graph itself takes mean and std off"]
            : ["normalizes": "false"]
    }

    /// What the network computes, with its weights; nil where its task does not say.
    private func graph(_ tensors: [NamedTensor], _ normalization: PixelNormalization?) throws -> GraphBuilder? {
        // Counts of batches are no part of what is computed.
        let graph = GraphBuilder(weights: tensors.filter { $0.elementType == .float32 })
        if let backbone = map.backbone {
            try graph.describeBackbone(backbone.architecture, outputStride: backbone.outputStride, normalization)
            return graph
        }
        guard let task = definition as? any GraphDescribing else { return nil }
        try task.describe(map.name, in: graph, normalization)
        return graph
    }

    private func writeExample(_ picture: FilePath, _ tensors: [NamedTensor], to path: FilePath) throws {
        guard let backbone = map.backbone else {
            throw TrainingError(
                "an example is of a backbone alone, which \(map.name) is not: export another network, or no example")
        }
        let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        let state = ModelState(seed: 0)
        let network = ResNet(backbone.architecture, Scope(state), outputStride: backbone.outputStride)
        try ModelFile.load(state) { byName[$0]!.tensor! }
        let size = 224
        let bytes = try WholeFile.bytes(of: picture)
        let image: Tensor
        do {
            image = try EvaluationTransform.centerView(bytes, imageSize: size, normalization)
        } catch let error as ImageError {
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
            metadata: ["picture": picture.lastComponent?.string ?? "", "format": "pt"],
            to: Self.examplePath(beside: path))
    }

    private static func examplePath(beside path: FilePath) -> FilePath {
        var path = path
        if path.extension == "safetensors" { path.extension = nil }
        return path.appending(suffix: ".example.safetensors")
    }

    /// What someone who is handed the file must know to use it.
    private var card: [String: String] {
        let facts = reader.manifest.facts
        var backbone: [String: String] = [:]
        if let made = map.backbone {
            let top = made.architecture.levels(outputStride: made.outputStride)[3]
            backbone = [
                "layout": "torchvision ResNet v1.5 without fc; OIHW",
                "output": "C5, stride \(top.stride), \(top.channels) channels",
                "output_stride": "\(top.stride)",
            ]
        }
        let common = [
            "network": map.name, "task": run.taskName.name, "color": "RGB in 0…1, then (x - mean) / std",
            "epochs": "\(facts.counters["epoch"] ?? 0) of \(run.schedule.epochs)",
            "global_batch": run.batch.global.map(String.init) ?? "\(run.batch.perRank ?? 0) per rank",
            "configuration": run.portableYAML,
        ]
        // What a task says of its own goes before what holds for most: other pixels, say.
        return [facts.architecture, normalization.facts, common, definition.exportCard, backbone].reduce(weights.facts)
        {
            $0.merging($1) { $1 }
        }
    }

    /// The task's own, or what the checkpoint says; of those that were made before it could be chosen ImageNet's.
    private var normalization: PixelNormalization {
        let facts = reader.manifest.facts.architecture.merging(definition.exportCard) { $1 }
        return PixelNormalization(facts) ?? .imageNet
    }
}
