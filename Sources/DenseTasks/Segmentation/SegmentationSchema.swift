import ImagePipeline
import Learning
import NeuralNetwork
package import Settings
import TensorCore

extension SegmentationSettings: TaskSettings {
    package static let name = "segmentation"
    /// About 30,000 updates of 10,000 pictures.
    package static let usualRun = UsualRun(epochs: 50, warmupEpochs: 1, globalBatch: 16)

    package static let schema =
        Schema<SegmentationSettings>(
            sections: [
                Section("data.augmentation", "What chance does to the crops."),
                Section("model", "The network that is trained."),
                Section(
                    "evaluation.validation", optional: \.evaluation.validation, { .init() },
                    "Labelled pictures that are scored, or null."),
            ],
            settings: data + pixelScale + augmentation + model)
        + FineTuningOptimizer.schema.mounted(Mount(get: { $0.optimizer }, change: { $1(&$0.optimizer) }))
        + Schema(sections: [], settings: scores)

    private static let pixelScale: [Setting<SegmentationSettings>] = Setting.pixels(\.pixels.mean, \.pixels.deviation)

    private static let data: [Setting<SegmentationSettings>] = [
        Setting(
            "data.layout", \.data.layout, onResume: .changesTraining, synonyms: ["datasetType", "format"],
            "How pictures and label maps lie: in two folders, or as VOC or Cityscapes come; data.roots names the one folder."
        ),
        Setting(
            "data.labels", \.data.labels, onResume: .changesTraining, synonyms: ["masks", "annDir", "segDir"],
            "Folder of label PNGs with the pictures' names; of voc the name of the folder beside, SegmentationClass if null."
        ),
        Setting(
            "data.list", \.data.list, onResume: .changesTraining, synonyms: ["split", "imageSet"],
            "Names of what is trained on: a text file, of voc the list and of cityscapes the part, train if null."),
        Setting(
            "data.imageSuffix", \.data.imageSuffix, onResume: .changesTraining, synonyms: ["imgSuffix"],
            "What pictures' names end in before .jpg or .png, and labels' do not."),
        Setting(
            "data.labelSuffix", \.data.labelSuffix, onResume: .changesTraining, synonyms: ["segMapSuffix"],
            "What labels' names end in before .png, and pictures' do not."),
        Setting(
            "data.classes", \.data.classes, onResume: .mustMatch, synonyms: ["numClasses", "classNames"],
            "How many classes there are, ids from 0 on, or their names; those of the layout if null."),
        Setting(
            "data.void", \.data.void, in: .within(0...255), onResume: .changesTraining,
            synonyms: ["ignoreIndex", "ignore"], "Label id of pixels that count nowhere."),
        Setting(
            "data.labelFraction", \.data.labelFraction, in: .above(0, upTo: 1), onResume: .changesTraining,
            synonyms: ["fraction", "labelPercent"],
            "Share of the pictures whose labels are used; every class is in each share, and an epoch as long as of all."
        ),
        Setting(
            "data.cropSize", \.cropSize, in: .within(32...4096), onResume: .changesTraining,
            synonyms: ["size", "imageSize"], "Side of the crops in pixels."),
    ]

    private static let augmentation: [Setting<SegmentationSettings>] = [
        Setting(
            "data.augmentation.minimumScale", \.augmentation.minimumScale, in: .within(0.01...100),
            onResume: .changesTraining, "Least enlargement of a picture."),
        Setting(
            "data.augmentation.maximumScale", \.augmentation.maximumScale, in: .within(0.01...100),
            onResume: .changesTraining, "Most enlargement of a picture."),
        Setting(
            "data.augmentation.mostOfOneClass", \.augmentation.mostOfOneClass, in: .above(0, upTo: 1),
            onResume: .changesTraining, synonyms: ["catMaxRatio"],
            "A crop with more than this share of one class is drawn anew, ten times at most."),
        Setting(
            "data.augmentation.flip", \.augmentation.flip, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["horizontalFlip", "hflip"], "Probability of exchanging left and right."),
        Setting(
            "data.augmentation.distortion", \.augmentation.distortion, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["colorJitter", "photoMetricDistortion"], "Probability of each of the four changes of colour."),
        Setting(
            "data.augmentation.brightness", \.augmentation.brightness, in: .within(0...2), onResume: .changesTraining,
            "Brightness is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.contrast", \.augmentation.contrast, in: .within(0...2), onResume: .changesTraining,
            "Contrast is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.saturation", \.augmentation.saturation, in: .within(0...2), onResume: .changesTraining,
            "Saturation is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.hue", \.augmentation.hue, in: .within(0...0.5), onResume: .changesTraining,
            "Hue is turned by up to this share of the colour circle, either way."),
    ]

    private static let model: [Setting<SegmentationSettings>] = [
        .architecture(\.model.architecture),
        .startingWeights(\.start),
        .trunkStatistics(\.model.trunkStatistics),
        Setting(
            "model.outputStride", \.model.outputStride, onResume: .mustMatch,
            "Pixels of the image to a cell of the backbone's last map; less than 32 by dilation."),
        Setting(
            "model.headChannels", \.model.headChannels, in: .within(1...4096), onResume: .mustMatch,
            "Channels of the head's two convolutions."),
        Setting(
            "model.headDilation", \.model.headDilation, in: .within(1...64), onResume: .mustMatch,
            "Dilation of the head's two convolutions."),
    ]

    private static let scores: [Setting<SegmentationSettings>] = [
        Setting(
            "evaluation.scale", \.evaluation.scale, in: .within(0.01...100),
            "Enlargement of the pictures that are scored."),
        Setting(
            "evaluation.window", \.evaluation.window, in: .within(32...8192), synonyms: ["cropSize", "slide"],
            "Side in pixels of the parts in which a picture is looked at; null: at once."),
        Setting(
            "evaluation.windowStep", \.evaluation.windowStep, in: .within(1...8192), synonyms: ["stride"],
            "Pixels from one part to the next; null: a part's side."),
        .resamples(\.evaluation.resamples),
        Setting(
            "evaluation.validation.images", \.evaluation.validation!.images,
            "Folder of pictures; null: data.roots, of which list or layout tell another part."),
        Setting(
            "evaluation.validation.labels", \.evaluation.validation!.labels, "As data.labels; null: data.labels."),
        Setting("evaluation.validation.list", \.evaluation.validation!.list, "As data.list; val if null."),
    ]
}

extension LabelledData.Layout: ChoiceValue {}

extension OutputStride: ChoiceValue {}

/// What the keys of segmentation say together.
extension SegmentationSettings {
    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        func add(_ key: String, _ message: String, _ remedy: String) {
            problems.append(.init(place(key), message, remedy: remedy))
        }
        if augmentation.minimumScale > augmentation.maximumScale {
            add(
                "data.augmentation.minimumScale",
                "data.augmentation.minimumScale \(augmentation.minimumScale.yaml) is above data.augmentation.maximumScale "
                    + augmentation.maximumScale.yaml, "lower the one, or raise the other")
        }
        if data.classNames == nil {
            add(
                "data.classes", "data.classes is not set, and the layout folders does not say it",
                "set it to the number of classes, or to their names")
        } else if let void = data.void, void < data.classNames!.count {
            add(
                "data.void", "data.void \(void) is one of the classes 0 to \(data.classNames!.count - 1)",
                "set it to the id that marks unlabelled pixels, or to null")
        }
        if data.layout == .folders, data.labels == nil {
            add(
                "data.labels", "data.labels is not set, which data.layout folders needs",
                "name the folder of label PNGs")
        }
        if data.layout == .folders, let set = evaluation.validation, set.images == nil, set.list == nil {
            add(
                "evaluation.validation.images",
                "evaluation.validation names neither pictures nor a list: the score would be of what is trained on",
                "name a folder of other pictures, and one of their labels")
        }
        if evaluation.windowStep != nil, evaluation.window == nil {
            add(
                "evaluation.windowStep", "evaluation.windowStep is of parts, but pictures are looked at as a whole",
                "set evaluation.window to the side of a part")
        } else if let step = evaluation.windowStep, step > evaluation.window ?? 0 {
            add(
                "evaluation.windowStep", "evaluation.windowStep \(step) would leave pixels out between the parts",
                "set it to at most evaluation.window")
        }
        return problems
    }

    /// With two classes where they are not set yet.
    package var parameterCount: Int {
        Segmenter(model, classes: data.classNames?.count ?? 2, seed: nil).trained.reduce(0) { $0 + $1.value.count }
    }

    /// Of the backbone the outputs of all convolutions and normalisations, more of them where stages dilate; of the head
    /// two maps of each convolution; and the pixels' logits of one image with their gradient.
    package var activationBytesPerImage: Int {
        let pixels = cropSize * cropSize, stride = model.outputStride.pixels
        let cells = pixels / (stride * stride), classes = data.classNames?.count ?? 2
        // C4 and C5 hold about half of what the backbone holds at stride 32, and four times as much for each halving.
        let trunk = model.architecture.activationBytes(pixels: pixels) * (stride == 32 ? 2 : stride == 16 ? 3 : 7) / 2
        return trunk + 4 * cells * 6 * model.headChannels + 8 * pixels * classes
    }
}
