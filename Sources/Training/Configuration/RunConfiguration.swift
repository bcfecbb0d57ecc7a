import DataParallel
import MessagePassing
import Settings

/// Everything that decides a training run: one value, read from a YAML file and `--set` overrides, the same on every
/// rank.
///
/// The structs hold names, types and defaults; `schema` gives each key its range, meaning and rule on resume.
public struct RunConfiguration: Sendable, Equatable {
    public var run = Run()
    public var data = Data()
    public var schedule = Schedule()
    public var batch = Batch()
    public var parallel = Parallel()
    public var precision = Precision.auto
    public var numbers = Numbers()
    public var watchdog = Watchdog()
    public var checkpoint = Checkpoint()
    public var evaluation = Evaluation()
    public var log = Log()

    private var taskSettings: AnyTaskSettings

    /// The defaults, with those of a task.
    public init(task: any TaskSettings) { taskSettings = AnyTaskSettings(task) }

    /// What the task lets its user decide.
    public var task: any TaskSettings {
        get { taskSettings.value }
        set { taskSettings.value = newValue }
    }

    /// Those of a task that is known.
    public func settings<Task: TaskSettings>(_ task: Task.Type) -> Task {
        guard let settings = taskSettings.value as? Task else {
            preconditionFailure("the configuration is of \(type(of: taskSettings.value)), not of \(task)")
        }
        return settings
    }

    public struct Run: Sendable, Equatable {
        public var directory = "runs/pixpro"
        public var seed = 1
    }

    public struct Data: Sendable, Equatable {
        public var roots = ["images"]
        public var workers = AutomaticCount.auto
        public var unreadableLimit = 0.2
    }

    public struct Schedule: Sendable, Equatable {
        public var epochs = 100
        public var warmupEpochs = 5
        /// Ends the run after this many optimiser steps; the learning rate still follows `epochs`.
        public var steps: Int?
    }

    public struct Batch: Sendable, Equatable {
        public var size = BatchSize.global(1024)
        public var microBatch = AutomaticCount.auto

        /// The key `batch.global`; nil where `perRank` is what is set. Setting nil changes nothing.
        public var global: Int? {
            get { if case .global(let images) = size { images } else { nil } }
            set { if let newValue { size = .global(newValue) } }
        }

        /// The key `batch.perRank`; nil where `global` is what is set. Setting nil changes nothing.
        public var perRank: Int? {
            get { if case .perRank(let images) = size { images } else { nil } }
            set { if let newValue { size = .perRank(newValue) } }
        }
    }

    public enum BatchSize: Sendable, Equatable {
        case global(Int)
        case perRank(Int)
    }

    public struct Parallel: Sendable, Equatable {
        public var threads = AutomaticCount.auto
        public var communication = CommunicationMode.auto
        public var wire = GradientReducer.Wire.float32
        public var oversubscribe = false
        public var checkCollectives = false
    }

    public enum CommunicationMode: String, Sendable, CaseIterable {
        case auto, inline, overlapped
    }

    public enum Precision: String, Sendable, CaseIterable {
        case auto, float32, bfloat16
    }

    public struct Numbers: Sendable, Equatable {
        public var nonFinite = NonFiniteRule.skip
        public var skipLimit = 5
    }

    public enum NonFiniteRule: String, Sendable, CaseIterable {
        case skip, stop
    }

    /// Seconds; 0 for no limit.
    public struct Watchdog: Sendable, Equatable {
        public var startSeconds = WatchdogLimits().start
        public var stepSeconds = WatchdogLimits().step
        public var saveSeconds = WatchdogLimits().save
        public var evaluateSeconds = WatchdogLimits().evaluate
        public var silenceSeconds = WatchdogLimits().silence

        var limits: WatchdogLimits {
            var limits = WatchdogLimits()
            limits.start = startSeconds
            limits.step = stepSeconds
            limits.save = saveSeconds
            limits.evaluate = evaluateSeconds
            limits.silence = silenceSeconds
            return limits
        }
    }

    public struct Checkpoint: Sendable, Equatable {
        public var everySteps = 1000
        public var keep = 3
        public var resume = ResumeMode.auto
    }

    public enum ResumeMode: String, Sendable, CaseIterable {
        /// Goes on from the newest valid checkpoint of the run directory, or starts anew where there is none.
        case auto
        /// Starts anew; a run directory that holds checkpoints is an error.
        case never
        /// Goes on from the newest valid checkpoint; a run directory without one is an error.
        case required
    }

    public struct Evaluation: Sendable, Equatable {
        public var everyEpochs = 10
    }

    public struct Log: Sendable, Equatable {
        public var everySeconds = 30.0
        public var everySteps = 1
    }
}

extension RunConfiguration.CommunicationMode: ChoiceValue {}
extension GradientReducer.Wire: ChoiceValue {}
extension RunConfiguration.NonFiniteRule: ChoiceValue {}
extension RunConfiguration.Precision: ChoiceValue {}
extension RunConfiguration.ResumeMode: ChoiceValue {}
