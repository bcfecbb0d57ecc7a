import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import Optimization
import Settings
package import TensorCore

extension DetectionSettings: TaskDefinition {
    package func findPictures(_ roots: PictureRoots) throws -> DetectionPictures { try DetectionPictures(self, roots) }

    /// With as many classes as the annotations have.
    package func makeTask(
        seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool
    ) throws -> DetectionTask {
        var settings = self
        settings.model.elementType = elementType
        settings.pixels = try pixels.resolved(facts)
        return DetectionTask(
            settings, categories: try [AnnotatedCategory](facts: facts), seed: UInt64(seed), isRestored: isRestored)
    }

    package var exportMaps: [ExportMap] {
        [
            ExportMap(name: "detector", withoutPrefix: ""),
            ExportMap(name: "backbone", withoutPrefix: "encoder.", backbone: (model.architecture, 32)),
        ]
    }

    package func makePredictor(
        _ architecture: [String: String], _ options: PredictionOptions
    ) throws -> (any TaskPredictor)? {
        var settings = self
        settings.pixels = try pixels.resolved(architecture)
        return DetectionPredictor(settings, categories: try [AnnotatedCategory](facts: architecture))
    }

    package var pixelSettings: PixelSettings? { pixels }

    package var exportCard: [String: String] {
        [
            "trained_image_size": "\(views.maximumSize)",
            "size_ranges": model.sizeRanges.ends.map(\.yaml).joined(separator: ","),
        ]
    }
}

/// Detection as a task: boxes and classes of the objects in pictures.
package final class DetectionTask: TrainingTask {
    package let settings: DetectionSettings
    package let detector: Detector
    package let modules: [TrainedModule]
    private let categories: [AnnotatedCategory]
    private let seed: UInt64
    private let convolutions: Convolutions
    /// Empty between passes; kept for its memory.
    private let tape = Tape()

    package init(
        _ settings: DetectionSettings, categories: [AnnotatedCategory], seed: UInt64, isRestored: Bool = false,
        engines: EngineList = .fastest
    ) {
        var settings = settings
        settings.model.classes = categories.count
        (self.settings, self.categories, self.seed) = (settings, categories, seed)
        detector = Detector(settings.model, seed: isRestored ? nil : seed)
        modules = [
            TrainedModule(
                name: "detector", state: detector.state, optimizer: settings.optimizer.makeOptimizer(detector.trained))
        ]
        convolutions = Convolutions(engines, packs: .oneUse)
    }

    package func samples(of pictures: DetectionPictures) -> DetectionSamples {
        DetectionSamples(
            pictures.images, settings.views, settings.pixels.normalization, seed: seed)
    }

    package func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [settings.optimizer.schedule(length)]
    }

    package func beginWithWeights() throws -> [String] {
        guard let start = settings.start else { return [] }
        let report = try StartingWeights(path: start).fill(detector.state)
        let hasOther = report.left.contains { $0.hasPrefix("pyramid.") && $0.contains(".bn.") }
        return report.lines(start, settings.pixels.normalization)
            + (hasOther
                ? [
                    "the file's pyramid has normalisation, which is left: set detection.pyramidNormalization to true to go on "
                        + "with it"
                ] : [])
    }

    // MARK: Networks and loss

    /// The losses of a micro-batch are means over its boxes on all ranks, and count by its share of the update's images.
    package func learn(_ batch: DetectionBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double {
        if part.isFirst { convolutions.forgetWeights() }
        let pass = Pass(
            mode: .training, tape: tape, statistics: part.statistics, elementType: settings.model.elementType,
            convolutions: convolutions)
        let images = try batch.padded(part.communicator)
        let maps = try Trace.span("forward", counts: .forward) { try detector(images, pass) }
        // The way back wants the weights in other layouts: what small maps have kept is of no more use.
        convolutions.forgetWeights()
        let targets = Trace.span("targets", counts: .forward) { FCOSTargets(maps.points, objects: batch.objects.all) }
        let positives = Double(targets.positives)
        // A rank that has no box at all takes part.
        let sums = try part.communicator.sum([positives, targets.centernessSum])
        let losses = detector.losses(
            maps, targets, LossNormalizers(positives: sums[0], centernessSum: sums[1]),
            share: Double(part.microBatchImages) / Double(part.globalImages), pass)
        try Trace.span("backward", counts: .backward) {
            try tape.backward(from: losses.variable, seed: Tensor([1], [1]), onGradientReady: part.onGradientReady)
        }
        figures.add("loss cls", sum: losses.classes)
        figures.add("loss reg", sum: losses.boxes)
        figures.add("loss ctr", sum: losses.centerness)
        figures.add("positives", total: positives, of: Double(batch.images.count))
        figures.add("objects", total: Double(batch.objects.all.joined().count), of: Double(batch.images.count))
        return losses.total
    }

    /// The parts of the loss, and how many objects an image has and points that shall find them.
    package func observe(_ totals: Figures.Totals, step: Int) -> StepObservation {
        StepObservation(metrics: [
            "loss.cls": totals.sum("loss cls"), "loss.reg": totals.sum("loss reg"),
            "loss.ctr": totals.sum("loss ctr"), "positivesPerImage": totals.mean("positives"),
            "objectsPerImage": totals.mean("objects"),
        ])
    }

    package func makeEvaluator(
        pictures: DetectionPictures, communicator: any Collective
    ) throws -> any TaskEvaluator {
        try DetectionEvaluator(detector, settings, pictures: pictures, communicator: communicator)
    }

    // MARK: Description

    /// Names too: logits of other classes in the same places are of no use.
    package var architectureFacts: [String: String] {
        let model = settings.model
        return [
            "architecture": model.architecture.rawValue, "classes": "\(model.classes)",
            "convention": model.convention.rawValue, "levels": model.levels.yaml, "channels": "\(model.channels)",
            "towerDepth": "\(model.towerDepth)", "pyramidNormalization": "\(model.normalizesPyramid)",
        ].merging(categories.facts) { $1 }.merging(settings.pixels.normalization.facts) { $1 }
    }

    package var summary: String {
        let model = settings.model, levels = model.levels.numbers
        return "detection (\(model.convention.rawValue)), \(model.architecture.rawValue) with P\(levels[0]) to "
            + "P\(levels[levels.count - 1]), \(model.classes) classes at \(settings.views.maximumSize) px"
    }

    package func forecasts() -> [String] {
        guard settings.start == nil, settings.model.trunkStatistics == .frozen || settings.model.frozenStages > 0
        else { return [] }
        return [
            "parts of the backbone are frozen at random weights: name a file in model.start, or set model.trunkStatistics "
                + "to trained and model.frozenStages to 0"
        ]
    }
}
