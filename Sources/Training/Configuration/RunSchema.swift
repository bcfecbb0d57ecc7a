package import Settings

extension RunConfiguration {
    /// All keys: those of the run and, between them, those of its task.
    package var schema: Schema<RunConfiguration> { schema(among: [taskName.name]) }

    /// - Parameter names: of the tasks that the program knows, the default first.
    func schema(among names: [String]) -> Schema<RunConfiguration> {
        let choice = Setting(
            "task", \RunConfiguration.taskName, in: .among(names), onResume: .mustMatch, synonyms: ["mode", "job"],
            required: taskName.name != names[0], "What is trained; it decides which other keys there are.")
        let own = Self.mounted(task)
        return Schema(sections: [], settings: [choice]) + Self.head + own + Self.tail
    }

    private static func mounted<Task: TaskSettings>(_ task: Task) -> Schema<RunConfiguration> {
        Task.schema.mounted(
            Mount(
                get: { $0.settings(Task.self) },
                change: { configuration, change in
                    var settings = configuration.settings(Task.self)
                    change(&settings)
                    configuration.task = settings
                }))
    }

    private static let head = Schema(
        sections: [
            Section<RunConfiguration>("run", "Where the run lives and what makes it repeatable."),
            Section("data", "The training images and what is made of each."),
        ],
        settings: runAndData)

    private static let tail = Schema(
        sections: [
            Section<RunConfiguration>("schedule", "How long to train."),
            Section("batch", "Images per update: global or perRank, not both."),
            Section("parallel", "How each rank uses its cores."),
            Section("numbers", "What happens to numbers that are not finite."),
            Section("watchdog", "When a job that makes no progress is ended, in seconds; 0 waits for ever."),
            Section("checkpoint", "What is kept to go on from."),
            Section(
                "evaluation", "Scores of what is trained; of pretraining each beside its value for random weights."),
            Section("log", "How often numbers are written."),
        ],
        settings: schedule + execution + safety + checkpointAndLog + evaluation)

    /// In seconds; a longer wait is a slip.
    private static let year = 31_536_000.0

    private static let runAndData: [Setting<RunConfiguration>] = [
        Setting(
            "run.directory", \.run.directory, in: .notEmpty, synonyms: ["output", "outputDir", "workDir"],
            "Folder that receives the configuration, log, metrics, page and checkpoints."),
        Setting(
            "run.seed", \.run.seed, in: .atLeast(0), onResume: .mustMatch,
            "Decides initial weights, order of images and augmentations."),
        Setting(
            "data.roots", \.data.roots, in: .notEmpty, onResume: .changesTraining,
            synonyms: ["data", "dataset", "path", "images", "root"],
            "Folders searched for images (JPEG, PNG, TIFF, tar shards), class folders or not; also single files, or lists of paths."
        ),
        Setting(
            "data.workers", \.data.workers, in: .within(0...256), synonyms: ["numWorkers", "loaderThreads"],
            "Threads per rank that load images; 0 loads between steps on the compute threads."),
        Setting(
            "data.unreadableLimit", \.data.unreadableLimit, in: .within(0...1), synonyms: ["skipLimit"],
            "Share of the images that may be skipped because they cannot be read, beyond 10; more end the run."),
    ]

    private static let schedule: [Setting<RunConfiguration>] = [
        Setting(
            "schedule.epochs", \.schedule.epochs, in: .within(1...1_000_000), onResume: .changesTraining,
            synonyms: ["maxEpochs", "numEpochs"], "Passes over the images."),
        Setting(
            "schedule.warmupEpochs", \.schedule.warmupEpochs, in: .within(0...1_000_000), onResume: .changesTraining,
            synonyms: ["warmup"], "Epochs in which the learning rate rises, before it takes the course of its task."),
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

    private static let execution: [Setting<RunConfiguration>] = [
        Setting(
            "batch.microBatch", \.batch.microBatch, in: .within(1...65_536), onResume: .changesTraining,
            synonyms: ["accumulation"],
            "The most images that a rank holds at once; gradients accumulate over a larger batch, and batch normalisation "
                + "sees a micro-batch over all ranks. A run that goes on keeps its number of micro-batches."),
        Setting(
            "parallel.threads", \.parallel.threads, in: .within(1...1024), synonyms: ["computeThreads", "numThreads"],
            "Compute threads per rank."),
        Setting(
            "parallel.communication", \.parallel.communication,
            "Sum gradients on a thread of their own (overlapped), or on the compute thread, which looks after them while "
                + "it computes (inline)."),
        Setting(
            "parallel.wire", \.parallel.wire, onResume: .changesTraining,
            "What gradients are sent as: float32, or bfloat16 for slow networks."),
        Setting(
            "parallel.passes", \.parallel.passes, synonyms: ["interleavePasses"],
            "Whether both views, and both networks, pass at once on several ranks, so that one computes while others wait for "
                + "sums of batch statistics (interleaved; takes the activations of both views), or one after another "
                + "(inTurn). auto interleaves where that leaves half of a rank's memory."),
        Setting(
            "parallel.oversubscribe", \.parallel.oversubscribe, "Allow more threads than there are cores."),
        Setting(
            "parallel.checkCollectives", \.parallel.checkCollectives,
            "Compare before every collective what all ranks are about to call: slow, to find faults in the program."),
        Setting(
            "precision", \.precision, onResume: .changesTraining, synonyms: ["dtype", "amp"],
            "Element type of maps in training; auto takes bfloat16 where all ranks multiply it fast, else float32."),
    ]

    private static let safety: [Setting<RunConfiguration>] = [
        Setting(
            "numbers.nonFinite", \.numbers.nonFinite, synonyms: ["nan", "skipNonFinite"],
            "What a loss or gradient that is not finite does: skip its update, or stop the run."),
        Setting(
            "numbers.skipLimit", \.numbers.skipLimit, in: .within(1...1_000_000),
            "Updates that may be skipped in a row; one more stops the run."),
        Setting(
            "numbers.replicaSteps", \.numbers.replicaSteps, in: .within(0...1_000_000_000), synonyms: ["hashSteps"],
            "Updates between comparisons of what the ranks hold, by hashes; where they differ (a flipped bit), all go back "
                + "to the newest checkpoint. auto compares as often as 0.1 % of the time pays for, 0 before saves alone."
        ),
        Setting(
            "numbers.savedSteps", \.numbers.savedSteps, in: .within(0...1000),
            "Steps with such numbers that are saved in nonfinite/ of the run for pixpro replay, the first ones."),
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

    private static let checkpointAndLog: [Setting<RunConfiguration>] = [
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
            "checkpoint.memorySeconds", \.checkpoint.memorySeconds, in: .within(0...31_536_000),
            synonyms: ["inMemory"],
            "Seconds of training between checkpoints in the memory of each host and of the next one; auto makes them as often "
                + "as 1 % of the time pays for, 0 never."),
        Setting(
            "checkpoint.memoryLimit", \.checkpoint.memoryLimit, in: .within(1...1_073_741_824),
            "MiB of each host's memory that they may take, two of them; auto takes at most half of what memoryDirectory has for "
                + "them and a quarter of the ranks' memory."),
        Setting(
            "checkpoint.memoryDirectory", \.checkpoint.memoryDirectory, in: .notEmpty,
            "Folder of each host's own, in a file system that is memory; hosts that share one count as one."),
        Setting(
            "log.everySeconds", \.log.everySeconds, in: .above(0, upTo: year), synonyms: ["logInterval"],
            "Seconds between progress lines in the log, and off a terminal."),
        Setting(
            "log.everySteps", \.log.everySteps, in: .within(1...1_000_000_000),
            "Updates between records in metrics.jsonl."),
    ]

    private static let evaluation: [Setting<RunConfiguration>] = [
        Setting(
            "evaluation.everyEpochs", \.evaluation.everyEpochs, in: .within(0...1_000_000), synonyms: ["evalFrequency"],
            "Epochs between evaluations, the last epoch included; 0 never evaluates.")
    ]
}
