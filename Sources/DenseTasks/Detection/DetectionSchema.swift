import Learning
import NeuralNetwork
package import Settings
package import Yams

extension DetectionSettings: TaskSettings {
    package static let name = "detection"
    /// As long as 90,000 updates of COCO's 118,000 pictures.
    package static let usualRun = UsualRun(epochs: 12, warmupEpochs: 1, globalBatch: 16)

    package static let schema =
        Schema<DetectionSettings>(
            sections: [
                Section("data.augmentation", "What chance does to an image beside its size."),
                Section("model", "The backbone."),
                Section("detection", "What is built on the backbone, and what it looks for."),
                Section(
                    "evaluation.validation", optional: \.validation, { .init() },
                    "Annotated pictures that are scored, or null."),
            ],
            settings: data + pixelScale + network)
        + FineTuningOptimizer.schema.mounted(Mount(get: { $0.optimizer }, change: { $1(&$0.optimizer) }))
        + Schema(sections: [], settings: scores)

    private static let pixelScale: [Setting<DetectionSettings>] = Setting.pixels(\.pixels.mean, \.pixels.deviation)

    private static let data: [Setting<DetectionSettings>] = [
        Setting(
            "data.format", \.data.format, onResume: .changesTraining, synonyms: ["annotationFormat"],
            "How the annotations are written."),
        Setting(
            "data.annotations", \.data.annotations, onResume: .changesTraining,
            synonyms: ["annFile", "annotationFile", "labels", "imageSet"],
            "COCO's JSON file, YOLO's folder of texts, or VOC's list of names (null: all); data.roots is the pictures' folder."
        ),
        Setting(
            "data.labelFraction", \.data.labelFraction, in: .above(0, upTo: 1), onResume: .changesTraining,
            synonyms: ["fraction", "labelPercent"],
            "Share of the pictures that is used; every class is in each share, and an epoch as long as of all."),
        Setting(
            "data.imageSize", \.views.maximumSize, in: .within(32...8192), onResume: .changesTraining,
            synonyms: ["size", "resolution", "maxSize"],
            "Short side of an image in pixels: the largest in training, and that of scores."),
        Setting(
            "data.minimumSize", \.views.minimumSize, in: .within(32...8192), onResume: .changesTraining,
            synonyms: ["minSize"], "Short side at least in training; data.imageSize by default."),
        Setting(
            "data.longestSide", \.views.longestSide, in: .within(32...16_384), onResume: .changesTraining,
            synonyms: ["maxLongSide"],
            "Long side at most, by which the short one may be less; 5/3 of data.imageSize by default."
        ),
        Setting(
            "data.augmentation.flip", \.views.flip, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["horizontalFlip", "hflip"], "Probability of exchanging left and right."),
        Setting(
            "data.augmentation.crop", \.views.crop, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["randomCrop"], "Probability of a crop; objects stay whose centre is in it."),
        Setting(
            "data.augmentation.minimumCrop", \.views.minimumCrop, in: .above(0, upTo: 1), onResume: .changesTraining,
            "Smallest share of the width, and of the height, that a crop keeps."),
    ]

    private static let network: [Setting<DetectionSettings>] = [
        .architecture(\.model.architecture),
        .startingWeights(\.start),
        .trunkStatistics(\.model.trunkStatistics),
        Setting(
            "model.frozenStages", \.model.frozenStages, in: .within(0...5), onResume: .mustMatch,
            synonyms: ["freezeAt"],
            "Parts of the backbone that do not learn: 1 for the first layer, 2 for it and C2, 0 for none."
        ),
        Setting(
            "detection.convention", \.model.convention, onResume: .mustMatch,
            "Follow the published program (fcos) or torchvision where they differ."),
        Setting(
            "detection.levels", \.model.levels, onResume: .mustMatch, synonyms: ["fpnLevels"],
            "Levels of the pyramid that detect."),
        Setting(
            "detection.channels", \.model.channels, in: .within(32...4096), onResume: .mustMatch,
            synonyms: ["fpnChannels"], "Channels of pyramid and towers: a multiple of 32."),
        Setting(
            "detection.towerDepth", \.model.towerDepth, in: .within(0...16), onResume: .mustMatch,
            synonyms: ["numConvs"], "Convolutions of each of the two towers."),
        Setting(
            "detection.sizeRanges", \.model.sizeRanges, onResume: .changesTraining, synonyms: ["sizesOfInterest"],
            "Sizes in pixels at which one level's objects end and the next one's begin; 64 and doubles of it by default."
        ),
        Setting(
            "detection.pyramidNormalization", \.model.normalizesPyramid, onResume: .mustMatch, synonyms: ["fpnNorm"],
            "Whether normalisation follows the pyramid's convolutions, as in pretraining, instead of biases."),
    ]

    private static let scores: [Setting<DetectionSettings>] = [
        Setting(
            "evaluation.threshold", \.rule.threshold, in: .from(0, below: 1), synonyms: ["scoreThreshold"],
            "Least probability of what is found; 0.05 by default, with torchvision's convention 0.2, of the score."),
        Setting(
            "evaluation.overlap", \.rule.overlap, in: .within(0...1), synonyms: ["nmsThreshold", "nmsThr"],
            "Of two boxes of a class that overlap by more than this (IoU) the surer one stays."),
        .resamples(\.resamples),
        Setting(
            "evaluation.validation.images", \.validation!.images,
            "As data.roots: the folder of pictures, or VOC's; null: that of data.roots."),
        Setting(
            "evaluation.validation.annotations", \.validation!.annotations, "As data.annotations, in the same format."),
    ]
}

extension DetectionConvention: ChoiceValue {}
extension DetectionSettings.Format: ChoiceValue {}

extension DetectorLevels: SettingValue {
    package static var expectation: String { allCases.map(\.yaml).joined(separator: " or ") }

    package init?(yaml node: Node) {
        guard let numbers = node.list(Int.init(yaml:)) else { return nil }
        self.init(numbers)
    }

    package var yaml: String { "[" + numbers.map(\.yaml).joined(separator: ", ") + "]" }
}

extension SizeRanges: SettingValue {
    package static var expectation: String { "a list of rising sizes, such as [64, 128]" }

    package init?(yaml node: Node) {
        guard let ends = node.list(Double.init(yaml:)) else { return nil }
        self.init(ends)
    }

    package var yaml: String { "[" + ends.map(\.yaml).joined(separator: ", ") + "]" }
}

extension Node {
    /// The values of a sequence; nil where one of them is of another type.
    fileprivate func list<Value>(_ read: (Node) -> Value?) -> [Value]? {
        guard case .sequence(let sequence) = self else { return nil }
        let values = sequence.map(read)
        return values.contains { $0 == nil } ? nil : values.compactMap { $0 }
    }
}
