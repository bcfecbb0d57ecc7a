import Evaluation
import Files
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import SystemPackage
import TensorCore

/// Scores an encoder on what the settings name, beside random weights, which are scored once.
final class PretrainingEvaluator: TaskEvaluator {
    private let plan: EvaluationPlan
    private let calibration: PictureSource
    private let settings: PretrainingSettings
    private let encoder: ResNet
    private let communicator: any Collective
    /// Pictures that are shown, the same every time; held out where there are such.
    private let shown: ImageIndex
    /// Random weights, and what they score.
    private var floor: (encoder: ResNet, report: EvaluationReport)?

    private static let shownPictures = 3

    /// Finds the pictures and checks every label map, before hours of training rather than after. Collective.
    init(
        _ encoder: ResNet, _ settings: PretrainingSettings, index: ImageIndex, communicator: any Collective
    ) throws {
        (self.encoder, self.settings) = (encoder, settings)
        self.communicator = communicator
        calibration = Self.pictures(index, settings)
        let scored = try ScoredPictures(settings.evaluation, communicator)
        plan = try communicator.agree(on: "preparing the evaluation") {
            try Self.plan(settings, index: index, scored, isRoot: communicator.isRoot)
        }
        shown = scored.classified?.validation ?? index
    }

    private static func plan(
        _ settings: PretrainingSettings, index: ImageIndex, _ scored: ScoredPictures, isRoot: Bool
    ) throws -> EvaluationPlan {
        var plan = EvaluationPlan()
        plan.seed = settings.seed
        if let sets = settings.evaluation.classification, let listed = scored.classified {
            plan.classification = try classification(sets, listed, settings)
            plan.unlisted += (listed.train.leftOut.skipped + listed.validation.leftOut.skipped).map(SkippedPicture.init)
        }
        if let sets = settings.evaluation.segmentation, let listed = scored.labelled {
            plan.segmentation = try segmentation(sets, listed, settings.pixels.normalization, verify: isRoot)
            plan.unlisted += (listed.train.leftOut.skipped + listed.validation.leftOut.skipped).map(SkippedPicture.init)
        }
        if settings.evaluation.correspondence { plan.correspondence = pairs(index, settings) }
        return plan
    }

    private static func pictures(_ index: ImageIndex, _ settings: PretrainingSettings) -> PictureSource {
        PictureSource(count: index.count, name: index.description(of:)) {
            try EvaluationTransform.centerView(
                try index.bytes(of: $0), imageSize: settings.views.imageSize, settings.pixels.normalization)
        }
    }

    private static func classification(
        _ sets: PretrainingSettings.Classification, _ listed: (train: ImageIndex, validation: ImageIndex),
        _ settings: PretrainingSettings
    ) throws -> EvaluationPlan.Classification {
        let (train, validation) = listed, classes = train.classNames
        guard classes.count >= 2 else {
            throw EvaluationError(
                "\(sets.train.shown) has \(classes.count) class folders; evaluation.classification needs one folder for each "
                    + "of at least two classes")
        }
        let numbers = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
        func labels(_ index: ImageIndex, _ root: FilePath) throws -> [Int] {
            try (0..<index.count).map { picture in
                let name = index.label(of: picture).map { index.classNames[$0] }
                guard let name, let number = numbers[name] else {
                    throw EvaluationError(
                        "\(index.description(of: picture)) is in no class folder of \(sets.train.shown) "
                            + "(\(classes.prefix(5).map { shownText($0) }.joined(separator: ", "))…); sort \(root.shown) into the same classes"
                    )
                }
                return number
            }
        }
        return EvaluationPlan.Classification(
            training: pictures(train, settings), trainingLabels: try labels(train, sets.train),
            validation: pictures(validation, settings), validationLabels: try labels(validation, sets.validation),
            classes: classes.count)
    }

    private static func segmentation(
        _ sets: PretrainingSettings.Segmentation, _ listed: (train: SegmentationFolder, validation: SegmentationFolder),
        _ normalization: PixelNormalization, verify: Bool
    ) throws -> EvaluationPlan.Segmentation {
        let scheme = LabelScheme(classes: sets.classes, void: sets.void)
        func source(_ folder: SegmentationFolder, _ part: String) throws -> LabelledPictureSource {
            if verify {
                let pixels = try folder.verify(classes: sets.classes, void: sets.void)
                // Where no picture can be read, its labels were not counted: the score names the pictures.
                if pixels.contains(where: { $0 > 0 }) {
                    try LabelCounts(part: part, ids: pixels, scheme: scheme).check()
                }
            }
            return LabelledPictureSource(count: folder.count, name: folder.description(of:)) { picture in
                let map = try folder.labels(of: picture, classes: sets.classes, void: sets.void)
                let image = try EvaluationTransform.plainView(
                    try folder.imageBytes(of: picture), height: map.height, width: map.width, normalization)
                return (image, PixelLabels(width: map.width, height: map.height, ids: map.ids))
            }
        }
        return EvaluationPlan.Segmentation(
            training: try source(listed.train, "training"), validation: try source(listed.validation, "validation"),
            scheme: scheme)
    }

    /// An epoch that training never reaches.
    private static let heldOutEpoch = 1 << 40

    /// The two views that training sees.
    private static func pairs(_ index: ImageIndex, _ settings: PretrainingSettings) -> ViewPairSource {
        let transform = settings.transform
        return ViewPairSource(count: index.count, name: index.description(of:)) { picture in
            let views = try transform.views(
                of: try index.bytes(of: picture), epoch: heldOutEpoch, sample: picture)
            let shape = Array(views.view1.shape.dropFirst())
            return ViewPairSource.Pair(
                view1: views.view1.reshaped(shape), view2: views.view2.reshaped(shape), box1: views.box1.array,
                box2: views.box2.array)
        }
    }

    /// Collective; the same report on all ranks.
    func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        let floor = try self.floor ?? makeFloor(progress)
        self.floor = floor
        var report = try evaluateEncoder(encoder, plan: plan, communicator: communicator, progress: progress)
        if !report.scores.isEmpty { report.pictures = try panels(beside: floor.encoder, progress) }
        return report.beside(floor: floor.report)
    }

    private func makeFloor(_ progress: @escaping EvaluationProgress) throws -> (ResNet, EvaluationReport) {
        let random = try makeRandomEncoder(
            settings.model.architecture, seed: settings.seed, pictures: calibration, communicator: communicator
        ) { try progress("random weights", $0, $1) }
        let report = try evaluateEncoder(random, plan: plan, communicator: communicator) {
            try progress("random weights: \($0)", $1, $2)
        }
        return (random, report)
    }

    /// What random and learned weights see in a few pictures, and two views of each, drawn by rank zero; nothing of one that
    /// cannot be read.
    private func panels(beside random: ResNet, _ progress: EvaluationProgress) throws -> [EvaluationPicture] {
        try communicator.agree(on: "drawing features") {
            guard communicator.isRoot else { return [] }
            let places = shown.spread(limit: Self.shownPictures)
            let (before, now) = (Convolutions(), Convolutions()), pixels = settings.pixels.normalization
            return try places.enumerated().flatMap { number, place in
                try progress("drawing features", number, places.count)
                do {
                    let bytes = try shown.bytes(of: place), name = shown.name(of: place).withoutEnding.text
                    let features = try FeaturePanel.image(
                        bytes, random: try FeatureMaps(bytes, pixels, random, before),
                        learned: try FeatureMaps(bytes, pixels, encoder, now))
                    let views = try settings.transform.views(of: bytes, epoch: Self.heldOutEpoch, sample: place)
                    return [
                        try EvaluationPicture(name: "\(name)/\(FeaturePanel.parts)", features),
                        try EvaluationPicture(
                            name: "\(name)/two views and cells that match",
                            ViewPanel(views, pixels, settings.model).image),
                    ]
                } catch is ImageError {
                    // The scores name it as skipped; or the network has diverged, which the loss tells.
                    return []
                }
            }
        }
    }
}
