import DataParallel
import ImagePipeline
import MessagePassing
import NeuralNetwork
import PixelLearning

/// Everything that decides a training run: one value, read from a YAML file and `--set` overrides, the same on every
/// rank.
///
/// The structs hold names, types and defaults; `Setting.all` gives each key its range, meaning and rule on resume.
public struct RunConfiguration: Sendable, Equatable {
    public var run = Run()
    public var data = Data()
    public var model = Model()
    public var method = Method()
    public var optimizer = Optimizer()
    public var schedule = Schedule()
    public var batch = Batch()
    public var parallel = Parallel()
    public var precision = Precision.auto
    public var numbers = Numbers()
    public var watchdog = Watchdog()
    public var checkpoint = Checkpoint()
    public var evaluation = Evaluation()
    public var log = Log()

    public init() {}

    public struct Run: Sendable, Equatable {
        public var directory = "runs/pixpro"
        public var seed = 1
    }

    public struct Data: Sendable, Equatable {
        public var roots = ["images"]
        public var imageSize = 224
        public var minimumCrop = 0.08
        public var augmentation = Augmentation()
        public var workers = AutomaticCount.auto
        public var unreadableLimit = 0.2
    }

    public struct Model: Sendable, Equatable {
        public var architecture = ResNetArchitecture.resnet50
        public var projectorWidth = Dialect.official.projectorWidth
    }

    public struct Method: Sendable, Equatable {
        public var name = MethodName.pixpro
        public var dialect = Dialect.official
        public var gamma = 2.0
        public var clamp = 0.0
        public var threshold = 0.7
        public var transformLayers = 1
        public var baseMomentum = 0.99
    }

    public enum MethodName: String, Sendable, CaseIterable {
        case pixpro
    }

    public struct Optimizer: Sendable, Equatable {
        public var name = OptimizerName.lars
        public var baseLearningRate = 1.0
        public var momentum = 0.9
        public var weightDecay = 1.0e-5
        public var trustCoefficient = 0.001
    }

    public enum OptimizerName: String, Sendable, CaseIterable {
        case lars, sgd
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
        public var classification: Classification?
        public var segmentation: Segmentation?
        public var correspondence = true
    }

    /// Two trees of class folders.
    public struct Classification: Sendable, Equatable {
        public var train = ""
        public var validation = ""

        public init(train: String = "", validation: String = "") {
            self.train = train
            self.validation = validation
        }
    }

    /// Images and label PNGs of class ids, paired by file name.
    public struct Segmentation: Sendable, Equatable {
        public var train = LabelledImages()
        public var validation = LabelledImages()
        public var classes = 0
        /// The id of pixels that count nowhere.
        public var void: Int? = 255

        public init() {}
    }

    public struct LabelledImages: Sendable, Equatable {
        public var images = ""
        public var labels = ""

        public init(images: String = "", labels: String = "") {
            self.images = images
            self.labels = labels
        }
    }

    public struct Log: Sendable, Equatable {
        public var everySeconds = 30.0
        public var everySteps = 1
    }
}

/// A count that the user gives or leaves to the program: `auto` or a whole number in YAML.
public enum AutomaticCount: Sendable, Equatable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    case auto
    case count(Int)

    public init(integerLiteral value: Int) { self = .count(value) }

    /// The number given, nil for `auto`.
    public var count: Int? { if case .count(let count) = self { count } else { nil } }

    public var description: String { count.map(String.init) ?? "auto" }
}

extension RunConfiguration {
    /// Gives the keys whose default depends on the dialect that default, except those in `given`.
    mutating func applyDialectDefaults(except given: Set<String>) {
        if !given.contains("model.projectorWidth") { model.projectorWidth = method.dialect.projectorWidth }
    }
}
