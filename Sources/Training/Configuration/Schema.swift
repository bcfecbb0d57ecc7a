extension Section {
    /// All mappings of the file, outer before inner.
    static let all: [Section] = [
        Section("run", "Where the run lives and what makes it repeatable."),
        Section("data", "The training images and the two crops taken of each."),
        Section("data.augmentation", "What chance does to the two crops; the defaults are the published recipes."),
        Section("data.augmentation.view1", "What the first crop alone is subject to."),
        Section("data.augmentation.view2", "What the second crop alone is subject to."),
        Section("model", "The network that is trained."),
        Section("method", "Pixel propagation and its loss."),
        Section("optimizer", "How gradients become updates."),
        Section("schedule", "How long to train."),
        Section("batch", "Images per update: global or perRank, not both."),
        Section("parallel", "How each rank uses its cores."),
        Section("numbers", "What happens to numbers that are not finite."),
        Section("watchdog", "When a job that makes no progress is ended, in seconds; 0 waits for ever."),
        Section("checkpoint", "What is kept to go on from."),
        Section("evaluation", "Scores of the frozen backbone, each beside its value for random weights."),
        Section(
            "evaluation.classification", optional: \.evaluation.classification, { .init() },
            "Two trees of class folders for nearest neighbours and a linear probe, or null."),
        Section(
            "evaluation.segmentation", optional: \.evaluation.segmentation, { .init() },
            "Images with label PNGs for a linear segmentation probe, or null."),
        Section("evaluation.segmentation.train", "What the segmentation probe is trained on."),
        Section("evaluation.segmentation.validation", "What the segmentation probe is scored on."),
        Section("log", "How often numbers are written."),
    ]
}

extension Setting {
    /// All keys, in the order of the reference and of the resolved file.
    static let all: [Setting] =
        runAndData + augmentation + modelAndMethod + optimization + execution + safety + checkpointAndLog + evaluation

    /// In seconds; a longer wait is a slip.
    private static let year = 31_536_000.0

    private static let runAndData: [Setting] = [
        Setting(
            "run.directory", \.run.directory, in: .notEmpty, synonyms: ["output", "outputDir", "workDir"],
            "Folder that receives the configuration, log, metrics, curves and checkpoints."),
        Setting(
            "run.seed", \.run.seed, in: .atLeast(0), onResume: .mustMatch,
            "Decides initial weights, order of images and augmentations."),
        Setting(
            "data.roots", \.data.roots, in: .notEmpty, onResume: .changesTraining,
            synonyms: ["data", "dataset", "path", "images", "root"],
            "Folders searched for images (JPEG, PNG, tar shards), class folders or not; also single files, or lists of paths."
        ),
        Setting(
            "data.imageSize", \.data.imageSize, in: .within(32...2048), onResume: .changesTraining,
            synonyms: ["size", "resolution", "cropSize"], "Side of the two crops in pixels."),
        Setting(
            "data.minimumCrop", \.data.minimumCrop, in: .above(0, upTo: 1), onResume: .changesTraining,
            synonyms: ["crop", "minScale"], "Smallest area of a crop as a share of the image."),
        Setting(
            "data.workers", \.data.workers, in: .within(0...256), synonyms: ["numWorkers", "loaderThreads"],
            "Threads per rank that load images; 0 loads between steps on the compute threads."),
        Setting(
            "data.unreadableLimit", \.data.unreadableLimit, in: .within(0...1), synonyms: ["skipLimit"],
            "Share of the images that may be skipped because they cannot be read, beyond 10; more end the run."),
    ]

    private static let augmentation: [Setting] = [
        Setting(
            "data.augmentation.maximumCrop", \.data.augmentation.maximumCrop, in: .above(0, upTo: 1),
            onResume: .changesTraining, synonyms: ["maxScale"], "Largest area of a crop as a share of the image."),
        Setting(
            "data.augmentation.minimumAspect", \.data.augmentation.minimumAspect, in: .within(0.1...10),
            onResume: .changesTraining, synonyms: ["minRatio"], "Least width of a crop divided by its height."),
        Setting(
            "data.augmentation.maximumAspect", \.data.augmentation.maximumAspect, in: .within(0.1...10),
            onResume: .changesTraining, synonyms: ["maxRatio"], "Most width of a crop divided by its height."),
        chance("flip", \.data.augmentation.flip, ["horizontalFlip", "hflip"], "exchanging left and right"),
        chance("verticalFlip", \.data.augmentation.verticalFlip, ["vflip"], "exchanging top and bottom"),
        chance(
            "colorJitter", \.data.augmentation.colorJitter, ["jitter"],
            "changing brightness, contrast, saturation and hue"),
        Setting(
            "data.augmentation.brightness", \.data.augmentation.brightness, in: .within(0...2),
            onResume: .changesTraining, "Brightness is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.contrast", \.data.augmentation.contrast, in: .within(0...2),
            onResume: .changesTraining, "Contrast is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.saturation", \.data.augmentation.saturation, in: .within(0...2),
            onResume: .changesTraining, "Saturation is multiplied by 1 more or less this much."),
        Setting(
            "data.augmentation.hue", \.data.augmentation.hue, in: .within(0...0.5), onResume: .changesTraining,
            "Hue is turned by up to this share of the colour circle, either way."),
        chance("grayscale", \.data.augmentation.grayscale, ["gray", "grey"], "losing all colour"),
        Setting(
            "data.augmentation.minimumBlur", \.data.augmentation.minimumBlur, in: .within(0...100),
            onResume: .changesTraining, synonyms: ["minSigma"], "Least deviation of the Gaussian blur in pixels."),
        Setting(
            "data.augmentation.maximumBlur", \.data.augmentation.maximumBlur, in: .within(0...100),
            onResume: .changesTraining, synonyms: ["maxSigma"], "Most deviation of the Gaussian blur in pixels."),
        chance("view1.blur", \.data.augmentation.view1.blur, ["gaussianBlur"], "blur"),
        chance("view1.solarize", \.data.augmentation.view1.solarize, [], "inverting all values above the middle"),
        chance("view2.blur", \.data.augmentation.view2.blur, [], "blur"),
        chance(
            "view2.solarize", \.data.augmentation.view2.solarize, ["solarization"],
            "inverting all values above the middle"),
    ]

    /// A probability of `data.augmentation`.
    private static func chance(
        _ name: String, _ keyPath: any WritableKeyPath<RunConfiguration, Double> & Sendable, _ synonyms: [String],
        _ what: String
    ) -> Setting {
        Setting(
            "data.augmentation.\(name)", keyPath, in: .within(0...1), onResume: .changesTraining, synonyms: synonyms,
            "Probability of \(what).")
    }

    private static let modelAndMethod: [Setting] = [
        Setting(
            "model.architecture", \.model.architecture, onResume: .mustMatch,
            synonyms: ["arch", "backbone", "encoder", "model"], "The backbone."),
        Setting(
            "model.projectorWidth", \.model.projectorWidth, in: .within(1...65_536), onResume: .mustMatch,
            synonyms: ["hidden", "projectorHidden"],
            "Hidden channels of the projector; 2048 by default with the paper's dialect."),
        Setting("method.name", \.method.name, onResume: .mustMatch, "What is learned from pixels."),
        Setting(
            "method.dialect", \.method.dialect, onResume: .mustMatch,
            "Follow the published program or the paper where they differ."),
        Setting(
            "method.gamma", \.method.gamma, in: .above(0, upTo: 100), onResume: .changesTraining,
            "Exponent of the similarity in the pixel propagation."),
        Setting(
            "method.clamp", \.method.clamp, in: .from(0, below: 1), onResume: .changesTraining,
            "Similarities below it count as this much in the pixel propagation."),
        Setting(
            "method.threshold", \.method.threshold, in: .above(0, upTo: 1000), onResume: .changesTraining,
            synonyms: ["posRatio"],
            "Two cells are a positive pair below this distance, in cell diagonals."),
        Setting(
            "method.transformLayers", \.method.transformLayers, in: .within(0...2), onResume: .mustMatch,
            "Layers of the transform in the pixel propagation."),
        Setting(
            "method.baseMomentum", \.method.baseMomentum, in: .within(0...1), onResume: .changesTraining,
            synonyms: ["pixproMomentum", "ema"],
            "Momentum of the momentum encoder at the start; it rises to 1 along a cosine."),
    ]

    private static let optimization: [Setting] = [
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
        Setting(
            "schedule.epochs", \.schedule.epochs, in: .within(1...1_000_000), onResume: .changesTraining,
            synonyms: ["maxEpochs", "numEpochs"], "Passes over the images."),
        Setting(
            "schedule.warmupEpochs", \.schedule.warmupEpochs, in: .within(0...1_000_000), onResume: .changesTraining,
            synonyms: ["warmup"], "Epochs in which the learning rate rises, before it falls along a cosine."),
        Setting(
            "schedule.steps", \.schedule.steps, in: .within(1...1_000_000_000), synonyms: ["maxSteps"],
            "Stops after this many updates in all, on the schedule of all epochs; null trains all epochs."),
        Setting(
            "batch.global", \.batch.global, in: .within(1...1_048_576), onResume: .changesTraining,
            synonyms: ["batchSize", "globalBatchSize"], "Images of an update over all ranks."),
        Setting(
            "batch.perRank", \.batch.perRank, in: .within(1...1_048_576), onResume: .changesTraining,
            synonyms: ["batchSizePerGpu", "localBatchSize"],
            "Images of an update on each rank: the global batch grows with the ranks."),
    ]

    private static let execution: [Setting] = [
        Setting(
            "batch.microBatch", \.batch.microBatch, in: .within(1...65_536), onResume: .changesTraining,
            synonyms: ["accumulation"],
            "Images that a rank holds at once; gradients accumulate over a larger batch, and batch normalisation "
                + "sees the micro-batches of all ranks."),
        Setting(
            "parallel.threads", \.parallel.threads, in: .within(1...1024), synonyms: ["computeThreads", "numThreads"],
            "Compute threads per rank."),
        Setting(
            "parallel.communication", \.parallel.communication,
            "Sum gradients on a thread of their own (overlapped) or between backward operations (inline)."),
        Setting(
            "parallel.wire", \.parallel.wire, onResume: .changesTraining,
            "What gradients are sent as: float32, or bfloat16 for slow networks."),
        Setting(
            "parallel.oversubscribe", \.parallel.oversubscribe, "Allow more threads than there are cores."),
        Setting(
            "parallel.checkCollectives", \.parallel.checkCollectives,
            "Compare before every collective what all ranks are about to call: slow, to find faults in the program."),
        Setting(
            "precision", \.precision, onResume: .changesTraining, synonyms: ["dtype", "amp"],
            "Element type of maps in training; auto takes bfloat16 where all ranks multiply it fast, else float32."),
    ]

    private static let safety: [Setting] = [
        Setting(
            "numbers.nonFinite", \.numbers.nonFinite, synonyms: ["nan", "skipNonFinite"],
            "What a loss or gradient that is not finite does: skip its update, or stop the run."),
        Setting(
            "numbers.skipLimit", \.numbers.skipLimit, in: .within(1...1_000_000),
            "Updates that may be skipped in a row; one more stops the run."),
        Setting(
            "watchdog.startSeconds", \.watchdog.startSeconds, in: .within(0...year), synonyms: ["timeout"],
            "From the start to the first update: listing images, loading a checkpoint."),
        Setting(
            "watchdog.stepSeconds", \.watchdog.stepSeconds, in: .within(0...year), synonyms: ["hangTimeout"],
            "For one micro-batch with its update."),
        Setting(
            "watchdog.saveSeconds", \.watchdog.saveSeconds, in: .within(0...year),
            "For waiting until a checkpoint is written."),
        Setting(
            "watchdog.evaluateSeconds", \.watchdog.evaluateSeconds, in: .within(0...year),
            "For one batch of pictures or one step of a probe in an evaluation."),
        Setting(
            "watchdog.silenceSeconds", \.watchdog.silenceSeconds, in: .within(0...year), synonyms: ["heartbeat"],
            "How long nothing may be heard from a rank, apart from MPI: it is stopped, or its host or network is down."),
    ]

    private static let checkpointAndLog: [Setting] = [
        Setting(
            "checkpoint.everySteps", \.checkpoint.everySteps, in: .within(1...1_000_000_000),
            synonyms: ["saveFrequency"],
            "Updates between checkpoints; one more is written at the end and on a signal."),
        Setting(
            "checkpoint.keep", \.checkpoint.keep, in: .within(1...1_000_000), "Newest checkpoints that are kept."),
        Setting(
            "checkpoint.resume", \.checkpoint.resume,
            "auto goes on from the newest valid checkpoint in run.directory; never refuses a directory that has one, "
                + "required one that has none (launch/train --restart sets that once there is one)."),
        Setting(
            "log.everySeconds", \.log.everySeconds, in: .above(0, upTo: year), synonyms: ["logInterval"],
            "Seconds between progress lines in the log, and off a terminal."),
        Setting(
            "log.everySteps", \.log.everySteps, in: .within(1...1_000_000_000),
            "Updates between records in metrics.jsonl."),
    ]

    private static let evaluation: [Setting] = [
        Setting(
            "evaluation.everyEpochs", \.evaluation.everyEpochs, in: .within(0...1_000_000), synonyms: ["evalFrequency"],
            "Epochs between evaluations, the last epoch included; 0 never evaluates."),
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
