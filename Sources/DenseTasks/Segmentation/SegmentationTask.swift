import Evaluation
package import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Optimization
package import TensorCore

extension SegmentationSettings: TaskDefinition {
    package func findPictures(_ roots: PictureRoots) throws -> LabelledPictures { try LabelledPictures(self, roots) }

    package func makeTask(
        seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool
    ) throws -> SegmentationTask {
        var settings = self
        settings.model.elementType = elementType
        settings.pixels = try pixels.resolved(facts)
        return SegmentationTask(
            settings, classNames: try data.knownClassNames, seed: UInt64(seed), isRestored: isRestored)
    }

    package var exportMaps: [ExportMap] {
        [
            ExportMap(name: "segmenter", withoutPrefix: ""),
            ExportMap(
                name: "backbone", withoutPrefix: "encoder.", backbone: (model.architecture, model.outputStride.pixels)),
        ]
    }

    package func makePredictor(
        _ architecture: [String: String], _ options: PredictionOptions
    ) throws -> (any TaskPredictor)? {
        var settings = self
        settings.pixels = try pixels.resolved(architecture)
        return SegmentationPredictor(settings, classes: try data.knownClassNames.count)
    }

    package var pixelSettings: PixelSettings? { pixels }

    package var exportCard: [String: String] {
        ["class_names": (data.classNames ?? []).joined(separator: ","), "trained_image_size": "\(cropSize)"]
    }
}

/// Segmentation as a task: what each pixel shows.
package final class SegmentationTask: TrainingTask {
    package let settings: SegmentationSettings
    package let segmenter: Segmenter
    package let modules: [TrainedModule]
    private let classNames: [String]
    private let seed: UInt64
    private let convolutions: Convolutions
    /// Empty between passes; kept for its memory.
    private let tape = Tape()

    package init(
        _ settings: SegmentationSettings, classNames: [String], seed: UInt64, isRestored: Bool = false,
        engines: EngineList = .fastest
    ) {
        (self.settings, self.classNames, self.seed) = (settings, classNames, seed)
        segmenter = Segmenter(settings.model, classes: classNames.count, seed: isRestored ? nil : seed)
        modules = [
            TrainedModule(
                name: "segmenter", state: segmenter.state,
                optimizer: settings.optimizer.makeOptimizer(segmenter.trained))
        ]
        convolutions = Convolutions(engines, packs: .oneUse)
    }

    package func samples(of pictures: LabelledPictures) -> LabelledTransform {
        LabelledTransform(
            pictures.folder, classes: pictures.scheme.classes, void: pictures.scheme.void, side: settings.cropSize,
            settings.augmentation, settings.pixels.normalization, seed: seed)
    }

    package func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [settings.optimizer.schedule(length)]
    }

    package func beginWithWeights() throws -> [String] {
        guard let start = settings.start else { return [] }
        return try StartingWeights(path: start).fill(segmenter.state)
            .lines(start, settings.pixels.normalization)
    }

    // MARK: Networks and loss

    /// The mean of the cross-entropy over the labelled pixels of a micro-batch on all ranks; a micro-batch counts by its
    /// share of the update's images.
    package func learn(_ batch: LabelledBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        if part.isFirst { convolutions.forgetWeights() }
        let shape = batch.images.shape
        let labels = LabelBatch(ids: batch.ids, height: shape[1], width: shape[2], ignored: ignored)
        // Also of a rank without a labelled pixel.
        let labelled = try part.communicator.sum([Double(labels.labelled)])[0]
        let share = Double(part.microBatchImages) / Double(part.globalImages)
        let pass = Pass(
            mode: .training, tape: tape, statistics: part.statistics, elementType: settings.model.elementType,
            convolutions: convolutions)
        let logits = try Trace.span("forward", counts: .forward) { try segmenter(batch.images, pass).logits }
        // The way back wants the weights in other layouts: what small maps have kept is of no more use.
        convolutions.forgetWeights()
        let loss = upsampledCrossEntropy(logits, labels: labels, weight: share / max(labelled, 1), pass)
        try Trace.span("backward", counts: .backward) {
            try tape.backward(from: loss.variable, seed: Tensor([1], [1]), onGradientReady: part.onGradientReady)
        }
        figures.add("labelled", total: Double(labels.labelled), of: Double(labels.ids.count))
        return loss.loss
    }

    private var ignored: UInt8 { UInt8(settings.data.void ?? 255) }

    /// The share of pixels that have a label.
    package func observe(_ totals: Figures.Totals, step: Int) -> StepObservation {
        StepObservation(metrics: ["labelledPixels": totals.mean("labelled")])
    }

    // MARK: Description

    package var architectureFacts: [String: String] {
        [
            "architecture": settings.model.architecture.rawValue, "outputStride": settings.model.outputStride.rawValue,
            "headChannels": "\(settings.model.headChannels)", "headDilation": "\(settings.model.headDilation)",
            "classes": "\(classNames.count)",
        ].merging(settings.pixels.normalization.facts) { $1 }
    }

    package var summary: String {
        let model = settings.model
        return "segmentation of \(classNames.count) classes, \(model.architecture.rawValue) at output stride "
            + "\(model.outputStride.rawValue), crops of \(settings.cropSize) px"
    }

    package func makeEvaluator(
        pictures: LabelledPictures, communicator: any Collective
    ) throws -> any TaskEvaluator {
        try SegmentationEvaluator(segmenter, settings, pictures: pictures, communicator: communicator)
    }
}
