import ImagePipeline
package import Learning
import NeuralNetwork
package import Settings
package import TensorCore

/// Everything that decides what an inpainter learns.
package struct InpaintingSettings: Sendable, Equatable {
    package var model = InpainterSettings()
    package var data = InpaintingData()
    package var evaluation = InpaintingEvaluation()

    package init() {}
}

extension InpaintingSettings: TaskSettings {
    package static let name = "inpainting"
    /// A million updates are published; this is about 100,000 of 8,000 pictures.
    package static let usualRun = UsualRun(epochs: 1200, warmupEpochs: 0, globalBatch: 16)

    package static let schema =
        Schema<InpaintingSettings>(sections: [], settings: [])
        + InpaintingData.schema.mounted(Mount(get: { $0.data }, change: { $1(&$0.data) }))
        + InpainterSettings.schema.mounted(Mount(get: { $0.model }, change: { $1(&$0.model) }))
        + InpaintingEvaluation.schema.mounted(Mount(get: { $0.evaluation }, change: { $1(&$0.evaluation) }))

    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        data.contradictions(place: place) + model.contradictions(side: data.imageSize, place: place)
            + evaluation.contradictions(place: place)
    }

    package var parameterCount: Int {
        let critics = model.loss.hasCritics ? Critics(channels: model.channels, side: data.imageSize, seed: nil) : nil
        return ([Generator(model, seed: nil).state] + (critics.map { [$0.state] } ?? [])).reduce(0) { sum, state in
            state.parameters.reduce(sum) { $0 + $1.value.count }
        }
    }

    /// Of the generator about 30 maps at full size by the first layers' channels, with their gradients, and the
    /// critics' maps of two pictures and their slopes.
    package var activationBytesPerImage: Int { 4 * data.imageSize * data.imageSize * 45 * model.channels / 2 }
}

extension InpaintingSettings: TaskDefinition {
    package func findPictures(_ roots: PictureRoots) throws -> InpaintingPictures {
        try InpaintingPictures(data, roots)
    }

    package func makeTask(
        seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool
    ) -> InpaintingTask {
        var settings = self
        settings.model.elementType = elementType
        return InpaintingTask(settings, seed: UInt64(seed), isRestored: isRestored)
    }

    package var exportMaps: [ExportMap] {
        [ExportMap(name: "generator") { $0.hasPrefix("generator.") ? $0 : nil }]
    }

    package var exportCard: [String: String] {
        [
            "trained_image_size": "\(data.imageSize)", "color": "RGB from -1 to 1: (x - mean) / std of 0…1",
            "mean": "0.5,0.5,0.5", "std": "0.5,0.5,0.5", "holes": data.holes.rawValue,
            "input": "known picture (0 in the hole), ones, mask (1 = hole); sides are multiples of 8",
        ]
    }

    package func makePredictor(
        _ architecture: [String: String], _ options: PredictionOptions
    ) throws -> (any TaskPredictor)? { try InpaintingPredictor(model, masks: options.masks) }

    package var takesMasks: Bool { true }
}
