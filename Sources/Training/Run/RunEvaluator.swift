import Evaluation
import Files
import ImagePipeline
import MessagePassing
import NeuralNetwork
import PixelLearning
import SystemPackage
import TensorCore

/// Scores a run's encoder on what its configuration names, beside random weights, which are scored once.
final class RunEvaluator {
    private let plan: EvaluationPlan
    private let calibration: PictureSource
    private let configuration: RunConfiguration
    private let communicator: any Collective
    private var floor: EvaluationReport?

    /// Finds the pictures and checks every label map, before hours of training rather than after. Collective.
    init(_ configuration: RunConfiguration, index: ImageIndex, communicator: any Collective) throws {
        self.configuration = configuration
        self.communicator = communicator
        let size = configuration.data.imageSize
        calibration = Self.pictures(index, size)
        plan = try communicator.agree(on: "preparing the evaluation") {
            try Self.plan(configuration, index: index, isRoot: communicator.isRoot)
        }
    }

    private static func plan(
        _ configuration: RunConfiguration, index: ImageIndex, isRoot: Bool
    ) throws -> EvaluationPlan {
        var plan = EvaluationPlan()
        plan.seed = UInt64(configuration.run.seed)
        let size = configuration.data.imageSize
        if let sets = configuration.evaluation.classification {
            plan.classification = try classification(sets, size, &plan.unlisted)
        }
        if let sets = configuration.evaluation.segmentation {
            plan.segmentation = try segmentation(sets, verify: isRoot, &plan.unlisted)
        }
        if configuration.evaluation.correspondence { plan.correspondence = pairs(index, configuration) }
        return plan
    }

    private static func pictures(_ index: ImageIndex, _ size: Int) -> PictureSource {
        PictureSource(count: index.count, name: index.description(of:)) {
            try EvaluationTransform.centerView(try index.bytes(of: $0), imageSize: size)
        }
    }

    private static func classification(
        _ sets: RunConfiguration.Classification, _ size: Int, _ unlisted: inout [SkippedPicture]
    ) throws -> EvaluationPlan.Classification {
        let train = try ImageIndex(roots: [FilePath(text: sets.train)])
        let validation = try ImageIndex(roots: [FilePath(text: sets.validation)])
        unlisted += (train.leftOut.skipped + validation.leftOut.skipped).map(SkippedPicture.init)
        let classes = train.classNames
        guard classes.count >= 2 else {
            throw TrainingError(
                "\(shownText(sets.train)) has \(classes.count) class folders; evaluation.classification needs one folder for each "
                    + "of at least two classes")
        }
        let numbers = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
        func labels(_ index: ImageIndex, _ root: String) throws -> [Int] {
            try (0..<index.count).map { picture in
                let name = index.label(of: picture).map { index.classNames[$0] }
                guard let name, let number = numbers[name] else {
                    throw TrainingError(
                        "\(index.description(of: picture)) is in no class folder of \(shownText(sets.train)) "
                            + "(\(classes.prefix(5).map { shownText($0) }.joined(separator: ", "))…); sort \(shownText(root)) into the same classes"
                    )
                }
                return number
            }
        }
        return EvaluationPlan.Classification(
            training: pictures(train, size), trainingLabels: try labels(train, sets.train),
            validation: pictures(validation, size), validationLabels: try labels(validation, sets.validation),
            classes: classes.count)
    }

    private static func segmentation(
        _ sets: RunConfiguration.Segmentation, verify: Bool, _ unlisted: inout [SkippedPicture]
    ) throws -> EvaluationPlan.Segmentation {
        let scheme = LabelScheme(classes: sets.classes, void: sets.void)
        func source(_ set: RunConfiguration.LabelledImages, _ part: String) throws -> LabelledPictureSource {
            let folder = try SegmentationFolder(images: FilePath(text: set.images), labels: FilePath(text: set.labels))
            unlisted += folder.leftOut.skipped.map(SkippedPicture.init)
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
                    try folder.imageBytes(of: picture), height: map.height, width: map.width)
                return (image, PixelLabels(width: map.width, height: map.height, ids: map.ids))
            }
        }
        return EvaluationPlan.Segmentation(
            training: try source(sets.train, "training"), validation: try source(sets.validation, "validation"),
            scheme: scheme)
    }

    /// The two views that training sees, of an epoch that training never reaches.
    private static func pairs(_ index: ImageIndex, _ configuration: RunConfiguration) -> ViewPairSource {
        let transform = configuration.viewTransform
        return ViewPairSource(count: index.count, name: index.description(of:)) { picture in
            let views = try transform.views(of: try index.bytes(of: picture), epoch: 1 << 40, sample: picture)
            let shape = Array(views.view1.shape.dropFirst())
            return ViewPairSource.Pair(
                view1: views.view1.reshaped(shape), view2: views.view2.reshaped(shape), box1: views.box1.array,
                box2: views.box2.array)
        }
    }

    /// Collective; the same report on all ranks.
    func evaluate(_ encoder: ResNet, progress: @escaping EvaluationProgress = { _, _, _ in }) throws -> EvaluationReport
    {
        if floor == nil {
            let random = try makeRandomEncoder(
                configuration.model.architecture, seed: UInt64(configuration.run.seed), pictures: calibration,
                communicator: communicator
            ) { try progress("random weights", $0, $1) }
            floor = try Evaluation.evaluate(random, plan: plan, communicator: communicator) {
                try progress("random weights: \($0)", $1, $2)
            }
        }
        let report = try Evaluation.evaluate(encoder, plan: plan, communicator: communicator, progress: progress)
        return report.beside(floor: floor!)
    }
}

extension SkippedPicture {
    fileprivate init(_ item: LeftOut.Item) { self.init(name: item.path, reason: item.reason) }
}
