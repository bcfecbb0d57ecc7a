import Checkpointing
import DenseTasks
import Exporting
import Inpainting
import NeuralNetwork
import TensorCore
import TestSupport

/// Networks as a run leaves them, without a run: every tensor differs from where it began.
struct ExportedModel {
    let network: ExportedNetwork
    let state: ModelState

    /// - Parameter state: one without a seed keeps what its memory holds, for tests of names alone.
    init(_ name: String, _ state: ModelState, isBackbone: Bool, architecture: [String: String]) {
        self.state = state
        var generator = KeyedGenerator(5, 11)
        for parameter in state.parameters where parameter.value.shape.count < 4 {
            for index in 0..<parameter.value.count { parameter.value.floats[index] += Float(0.2 * generator.normal()) }
        }
        for running in state.statistics {
            for index in 0..<running.mean.count {
                running.mean.floats[index] = Float(0.2 * generator.normal())
                running.variance.floats[index] = Float(generator.uniform(0.5, 1.5))
            }
            running.batchesTracked = 7
        }
        let dictionary = StateDictionary(state)
        let tensors =
            dictionary.entries.map { NamedTensor(name: $0.name, tensor: $0.read()) }
            + dictionary.counters.map { NamedTensor(name: $0.name, scalar: Int64($0.statistics.batchesTracked)) }
        network = ExportedNetwork(
            name: name, tensors: tensors, isBackbone: isBackbone, architecture: architecture,
            card: ["format": "pt", "mean": "0.485,0.456,0.406", "trained_image_size": "64"])
    }

    static func backbone(
        _ architecture: ResNetArchitecture, outputStride: Int = 32, seed: UInt64? = 1
    ) -> (ExportedModel, ResNet) {
        let state = ModelState(seed: seed), network = ResNet(architecture, Scope(state), outputStride: outputStride)
        let model = ExportedModel(
            "backbone", state, isBackbone: true,
            architecture: ["architecture": architecture.rawValue, "outputStride": "\(outputStride)"])
        return (model, network)
    }

    static func detector(_ settings: DetectorSettings, seed: UInt64? = 2) -> (ExportedModel, Detector) {
        let detector = Detector(settings, seed: seed)
        let model = ExportedModel(
            "detector", detector.state, isBackbone: false, architecture: ["convention": settings.convention.rawValue])
        return (model, detector)
    }

    static func segmenter(
        _ settings: SegmenterSettings, classes: Int, seed: UInt64? = 3
    ) -> (ExportedModel, Segmenter) {
        let segmenter = Segmenter(settings, classes: classes, seed: seed)
        return (ExportedModel("segmenter", segmenter.state, isBackbone: false, architecture: [:]), segmenter)
    }

    static func generator(_ settings: InpainterSettings) -> (ExportedModel, Generator) {
        let generator = Generator(settings, seed: 4)
        return (ExportedModel("generator", generator.state, isBackbone: false, architecture: [:]), generator)
    }

    /// With a normalised pyramid on C3 (or another) to C5 and towers of two convolutions; and what they make of images, by the names of
    /// a graph's outputs.
    static func pyramid(
        _ architecture: ResNetArchitecture, channels: Int = 256, finest: Int = 3, seed: UInt64? = nil
    ) -> (ExportedModel, maps: (Tensor) throws -> [(String, Tensor)]) {
        let state = ModelState(seed: seed), root = Scope(state)
        let encoder = ResNet(architecture, root.child("encoder"))
        let pyramid = FeaturePyramid(
            root.child("pyramid"), inputs: Array(encoder.levels.dropFirst(finest - 2)), channels: channels,
            normalizes: true)
        let towers = ["cls", "bbox"].map {
            (name: $0, tower: DetectorTower(root.child("tower_\($0)"), channels: channels, depth: 2))
        }
        let model = ExportedModel("pyramid", state, isBackbone: false, architecture: [:])
        return (
            model,
            { images in
                let pass = Pass(mode: .evaluation)
                let levels = try pyramid(Array(try encoder.maps(Variable(images), pass).dropFirst(finest - 2)), pass)
                return zip((finest...5).map { "P\($0)" }, levels).flatMap { name, map in
                    [(name, channelsFirst(map.value))]
                        + towers.map { ("\(name).\($0.name)", channelsFirst($0.tower(map, pass).value)) }
                }
            }
        )
    }
}

/// NHWC ↔ NCHW.
func channelsFirst(_ map: Tensor) -> Tensor {
    let (n, h, w, c) = (map.shape[0], map.shape[1], map.shape[2], map.shape[3])
    return map.permutedInner(outer: n, rows: h * w, columns: c).reshaped([n, c, h, w])
}
