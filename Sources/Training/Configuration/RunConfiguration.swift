package import DataParallel
package import Learning
import MessagePassing
package import Settings
package import SystemPackage

/// Everything that decides a training run: one value, read from a YAML file and `--set` overrides, the same on every
/// rank.
///
/// The structs hold names, types and defaults; `schema` gives each key its range, meaning and rule on resume.
package struct RunConfiguration: Sendable, Equatable {
    package var run = Run()
    package var data = Data()
    package var schedule = Schedule()
    package var batch = Batch()
    package var parallel = Parallel()
    package var precision = Precision.auto
    package var numbers = Numbers()
    package var watchdog = Watchdog()
    package var checkpoint = Checkpoint()
    package var evaluation = Evaluation()
    package var log = Log()

    private var taskSettings: AnyTaskSettings

    /// The defaults, with those of a task.
    package init(task: any TaskSettings) {
        taskSettings = AnyTaskSettings(task)
        let usual = type(of: task).usualRun
        (schedule.epochs, schedule.warmupEpochs) = (usual.epochs, usual.warmupEpochs)
        batch.size = .global(usual.globalBatch)
    }

    /// What the task lets its user decide.
    package var task: any TaskSettings {
        get { taskSettings.value }
        set { taskSettings.value = newValue }
    }

    /// The key `task`. Setting it changes nothing: the task decides which other keys there are.
    package var taskName: TaskName {
        get { TaskName(type(of: task).name) }
        set {}
    }

    /// What is trained.
    package var definition: any TaskDefinition {
        guard let definition = task as? any TaskDefinition else {
            preconditionFailure("\(type(of: task)) says what can be set, and not how its task is made")
        }
        return definition
    }

    /// Those of a task that is known.
    package func settings<Task: TaskSettings>(_ task: Task.Type) -> Task {
        guard let settings = taskSettings.value as? Task else {
            preconditionFailure("the configuration is of \(type(of: taskSettings.value)), not of \(task)")
        }
        return settings
    }

    package struct Run: Sendable, Equatable {
        package var directory: FilePath = "runs/pixpro"
        package var seed = 1
    }

    package struct Data: Sendable, Equatable {
        package var roots: [FilePath] = ["images"]
        package var workers = AutomaticCount.auto
        package var unreadableLimit = 0.2
    }

    package struct Schedule: Sendable, Equatable {
        package var epochs = UsualRun.pretraining.epochs
        package var warmupEpochs = UsualRun.pretraining.warmupEpochs
        /// Ends the run after this many optimiser steps; the learning rate still follows `epochs`.
        package var steps: Int?
    }

    package struct Batch: Sendable, Equatable {
        package var size = BatchSize.global(UsualRun.pretraining.globalBatch)
        package var microBatch = AutomaticCount.auto

        /// The key `batch.global`; nil where `perRank` is what is set. Setting nil changes nothing.
        package var global: Int? {
            get { if case .global(let images) = size { images } else { nil } }
            set { if let newValue { size = .global(newValue) } }
        }

        /// The key `batch.perRank`; nil where `global` is what is set. Setting nil changes nothing.
        package var perRank: Int? {
            get { if case .perRank(let images) = size { images } else { nil } }
            set { if let newValue { size = .perRank(newValue) } }
        }
    }

    package enum BatchSize: Sendable, Equatable {
        case global(Int)
        case perRank(Int)
    }

    package struct Parallel: Sendable, Equatable {
        package var threads = AutomaticCount.auto
        package var communication = CommunicationMode.auto
        package var wire = GradientReducer.Wire.float32
        package var passes = PassOrder.auto
        package var oversubscribe = false
        package var checkCollectives = false
    }

    package enum CommunicationMode: String, Sendable, CaseIterable {
        case auto, inline, overlapped
    }

    package enum PassOrder: String, Sendable, CaseIterable {
        case auto, interleaved, inTurn
    }

    package enum Precision: String, Sendable, CaseIterable {
        case auto, float32, bfloat16
    }

    package struct Numbers: Sendable, Equatable {
        package var nonFinite = NonFiniteRule.skip
        package var skipLimit = 5
        package var replicaSteps = AutomaticCount.auto
        package var savedSteps = 2
    }

    package enum NonFiniteRule: String, Sendable, CaseIterable {
        case skip, stop
    }

    /// Seconds; 0 for no limit.
    package struct Watchdog: Sendable, Equatable {
        package var startSeconds = WatchdogLimits().start
        package var stepSeconds = WatchdogLimits().step
        package var saveSeconds = WatchdogLimits().save
        package var evaluateSeconds = WatchdogLimits().evaluate
        package var silenceSeconds = WatchdogLimits().silence

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

    package struct Checkpoint: Sendable, Equatable {
        package var everySteps = 1000
        package var keep = 3
        package var resume = ResumeMode.auto
        package var memorySeconds = AutomaticCount.auto
        package var memoryLimit = AutomaticCount.auto
        package var memoryDirectory: FilePath = "/dev/shm"
    }

    package enum ResumeMode: String, Sendable, CaseIterable {
        /// Goes on from the newest valid checkpoint of the run directory, or starts anew where there is none.
        case auto
        /// Starts anew; a run directory that holds checkpoints is an error.
        case never
        /// Goes on from the newest valid checkpoint; a run directory without one is an error.
        case required
    }

    package struct Evaluation: Sendable, Equatable {
        package var everyEpochs = 10
    }

    package struct Log: Sendable, Equatable {
        package var everySeconds = 30.0
        package var everySteps = 1
    }
}

extension RunConfiguration.CommunicationMode: ChoiceValue {}
extension RunConfiguration.PassOrder: ChoiceValue {}
extension GradientReducer.Wire: ChoiceValue {}
extension RunConfiguration.NonFiniteRule: ChoiceValue {}
extension RunConfiguration.Precision: ChoiceValue {}
extension RunConfiguration.ResumeMode: ChoiceValue {}
