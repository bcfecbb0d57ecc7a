import ImagePipeline
import Learning
package import Settings

extension PretrainingSettings: TaskSettings {
    package static let name = "pretraining"

    package static let schema = Schema<PretrainingSettings>(
        sections: [
            Section("data.augmentation", "What chance does to the two crops; the defaults are the published recipes."),
            Section("data.augmentation.view1", "What the first crop alone is subject to."),
            Section("data.augmentation.view2", "What the second crop alone is subject to."),
            Section("model", "The network that is trained."),
            Section("method", "What is learned from pixels, and its loss."),
            Section("method.pyramid", "Maps beyond C5 that pixels are learned on, and what makes them."),
            Section("method.instance", "Whole images, compared beside their pixels."),
            Section("optimizer", "How gradients become updates."),
            Section(
                "evaluation.classification", optional: \.evaluation.classification, { .init() },
                "Two trees of class folders for nearest neighbours and a linear probe, or null."),
            Section(
                "evaluation.segmentation", optional: \.evaluation.segmentation, { .init() },
                "Images with label PNGs for a linear segmentation probe, or null."),
            Section("evaluation.segmentation.train", "What the segmentation probe is trained on."),
            Section("evaluation.segmentation.validation", "What the segmentation probe is scored on."),
        ],
        settings: views + pixelScale + augmentation + modelAndMethod + optimization
            + scores)

    private static let pixelScale: [Setting<PretrainingSettings>] = Setting.pixels(\.pixels.mean, \.pixels.deviation)

    private static let views: [Setting<PretrainingSettings>] = [
        Setting(
            "data.imageSize", \.views.imageSize, in: .within(32...2048), onResume: .changesTraining,
            synonyms: ["size", "resolution", "cropSize"], "Side of the two crops in pixels."),
        Setting(
            "data.minimumCrop", \.views.minimumCrop, in: .above(0, upTo: 1), onResume: .changesTraining,
            synonyms: ["crop", "minScale"], "Smallest area of a crop as a share of the image."),
    ]

    private static let augmentation: [Setting<PretrainingSettings>] = [
        Setting(
            "data.augmentation.maximumCrop", \.views.augmentation.maximumCrop, in: .above(0, upTo: 1),
            onResume: .changesTraining, synonyms: ["maxScale"], "Largest area of a crop as a share of the image."),
        Setting(
            "data.augmentation.minimumAspect", \.views.augmentation.minimumAspect, in: .within(0.1...10),
            onResume: .changesTraining, synonyms: ["minRatio"], "Least width of a crop divided by its height."),
        Setting(
            "data.augmentation.maximumAspect", \.views.augmentation.maximumAspect, in: .within(0.1...10),
            onResume: .changesTraining, synonyms: ["maxRatio"], "Most width of a crop divided by its height."),
        chance("flip", \.views.augmentation.flip, ["horizontalFlip", "hflip"], "exchanging left and right"),
        chance("verticalFlip", \.views.augmentation.verticalFlip, ["vflip"], "exchanging top and bottom"),
        chance(
            "colorJitter", \.views.augmentation.colorJitter, ["jitter"],
            "changing brightness, contrast, saturation and hue"),
        Setting(
            "data.augmentation.brightness", \.views.augmentation.brightness, in: .within(0...2),
            onResume: .changesTraining, "Brightness is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.contrast", \.views.augmentation.contrast, in: .within(0...2),
            onResume: .changesTraining, "Contrast is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.saturation", \.views.augmentation.saturation, in: .within(0...2),
            onResume: .changesTraining, "Saturation is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.hue", \.views.augmentation.hue, in: .within(0...0.5), onResume: .changesTraining,
            "Hue is turned by up to this share of the colour circle, either way."),
        chance("grayscale", \.views.augmentation.grayscale, ["gray", "grey"], "losing all colour"),
        Setting(
            "data.augmentation.minimumBlur", \.views.augmentation.minimumBlur, in: .within(0...100),
            onResume: .changesTraining, synonyms: ["minSigma"], "Least deviation of the Gaussian blur in pixels."),
        Setting(
            "data.augmentation.maximumBlur", \.views.augmentation.maximumBlur, in: .within(0...100),
            onResume: .changesTraining, synonyms: ["maxSigma"], "Most deviation of the Gaussian blur in pixels."),
        chance("view1.blur", \.views.augmentation.view1.blur, ["gaussianBlur"], "blur"),
        chance("view1.solarize", \.views.augmentation.view1.solarize, [], "inverting all values above the middle"),
        chance("view2.blur", \.views.augmentation.view2.blur, [], "blur"),
        chance(
            "view2.solarize", \.views.augmentation.view2.solarize, ["solarization"],
            "inverting all values above the middle"),
    ]

    /// A probability of `data.augmentation`.
    private static func chance(
        _ name: String, _ keyPath: any WritableKeyPath<PretrainingSettings, Double> & Sendable, _ synonyms: [String],
        _ what: String
    ) -> Setting<PretrainingSettings> {
        Setting(
            "data.augmentation.\(name)", keyPath, in: .within(0...1), onResume: .changesTraining, synonyms: synonyms,
            "Probability of \(what).")
    }

    private static let modelAndMethod: [Setting<PretrainingSettings>] = [
        .architecture(\.model.architecture),
        .startingWeights(\.start),
        Setting(
            "model.projectorWidth", \.model.projectorWidth, in: .within(1...65_536), onResume: .mustMatch,
            synonyms: ["hidden", "projectorHidden"],
            "Hidden channels of the projector; 2048 by default with the paper's dialect."),
        Setting("method.name", \.model.method, onResume: .mustMatch, "What is learned from pixels."),
        Setting(
            "method.dialect", \.model.dialect, onResume: .mustMatch,
            "Follow the published program or the paper where they differ."),
        Setting(
            "method.gamma", \.model.gamma, in: .above(0, upTo: 100), onResume: .changesTraining,
            "Exponent of the similarity in the pixel propagation."),
        Setting(
            "method.clamp", \.model.clamp, in: .from(0, below: 1), onResume: .changesTraining,
            "Similarities below it count as this much in the pixel propagation."),
        Setting(
            "method.threshold", \.model.threshold, in: .above(0, upTo: 1000), onResume: .changesTraining,
            synonyms: ["posRatio"],
            "Two cells are a positive pair below this distance, in cell diagonals."),
        Setting(
            "method.transformLayers", \.model.transformLayers, in: .within(0...2), onResume: .mustMatch,
            "Layers of the transform in the pixel propagation."),
        Setting(
            "method.temperature", \.model.temperature, in: .above(0, upTo: 100), onResume: .changesTraining,
            synonyms: ["tau"], "Divides the cosines of pixcontrast; pixpro has no use for it."),
        Setting(
            "method.pyramid.levels", \.model.pyramid.levels, onResume: .mustMatch, synonyms: ["fpnLevels"],
            "Levels of a feature pyramid that are learned on, 3 for C3; none: C5 without a pyramid."),
        Setting(
            "method.pyramid.channels", \.model.pyramid.channels, in: .within(1...4096), onResume: .mustMatch,
            synonyms: ["fpnChannels"], "Channels of the pyramid; with towers a multiple of 32."),
        Setting(
            "method.pyramid.towerDepth", \.model.pyramid.towerDepth, in: .within(0...16), onResume: .mustMatch,
            "Layers of a detector's two towers between pyramid and projectors, which each have their own; 0: none."),
        Setting(
            "method.instance.kind", \.model.instance.kind, onResume: .mustMatch,
            "The loss of whole images: byol predicts the other view's vector, simclr tells it from those of other images."
        ),
        Setting(
            "method.instance.weight", \.model.instance.weight, in: .within(0...1000), onResume: .changesTraining,
            synonyms: ["alpha", "insLossWeight"], "What the loss of whole images is multiplied by."),
        Setting(
            "method.instance.temperature", \.model.instance.temperature, in: .above(0, upTo: 100),
            onResume: .changesTraining, "Divides the cosines of simclr; byol has no use for it."),
        Setting(
            "method.baseMomentum", \.baseMomentum, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["pixproMomentum", "ema"],
            "Momentum of the momentum encoder at the start; it rises to 1 along a cosine."),
    ]

    private static let optimization: [Setting<PretrainingSettings>] = [
        Setting(
            "optimizer.name", \.optimizer.name, onResume: .mustMatch,
            "The rule of updates: LARS or SGD, both with momentum."),
        Setting(
            "optimizer.baseLearningRate", \.optimizer.baseLearningRate, in: .above(0, upTo: 1000),
            onResume: .changesTraining,
            synonyms: ["lr", "baseLr", "learningRate"],
            "Learning rate at a global batch of 256; the rate used is this times global batch / 256."),
        Setting(
            "optimizer.momentum", \.optimizer.momentum, in: .from(0, below: 1), onResume: .changesTraining,
            "Momentum of the updates."),
        Setting(
            "optimizer.weightDecay", \.optimizer.weightDecay, in: .within(0...10), onResume: .changesTraining,
            synonyms: ["wd"], "Weight decay; biases and normalisation have none."),
        Setting(
            "optimizer.trustCoefficient", \.optimizer.trustCoefficient, in: .above(0, upTo: 1000),
            onResume: .changesTraining,
            synonyms: ["eta"], "Size of a LARS update as a share of the weights' length; SGD has no use for it."),
    ]

    private static let scores: [Setting<PretrainingSettings>] = [
        Setting(
            "evaluation.correspondence", \.evaluation.correspondence,
            "Score how often matching cells of two crops find each other; needs no labels."),
        Setting(
            "evaluation.classification.train", \.evaluation.classification!.train, in: .notEmpty, required: true,
            "Tree of class folders: the known neighbours and the probe's training images."),
        Setting(
            "evaluation.classification.validation", \.evaluation.classification!.validation, in: .notEmpty,
            synonyms: ["val"], required: true, "Tree of class folders that is scored."),
        Setting(
            "evaluation.segmentation.train.images", \.evaluation.segmentation!.train.images, in: .notEmpty,
            required: true, "Folder of images."),
        Setting(
            "evaluation.segmentation.train.labels", \.evaluation.segmentation!.train.labels, in: .notEmpty,
            required: true, "Folder of label PNGs with the images' names."),
        Setting(
            "evaluation.segmentation.validation.images", \.evaluation.segmentation!.validation.images, in: .notEmpty,
            required: true, "Folder of images."),
        Setting(
            "evaluation.segmentation.validation.labels", \.evaluation.segmentation!.validation.labels, in: .notEmpty,
            required: true, "Folder of label PNGs with the images' names."),
        Setting(
            "evaluation.segmentation.classes", \.evaluation.segmentation!.classes, in: .within(2...256),
            synonyms: ["numClasses"], required: true, "Number of classes: label ids 0 to classes - 1."),
        Setting(
            "evaluation.segmentation.void", \.evaluation.segmentation!.void, in: .within(0...255),
            synonyms: ["ignoreIndex", "ignore"], "Label id of pixels that count nowhere."),
    ]
}
