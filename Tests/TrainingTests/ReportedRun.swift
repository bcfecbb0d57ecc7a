import DataParallel
import Files
import Learning
import NeuralNetwork
import PixelLearning
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

/// A run of epochs of four steps that only its reporter sees.
struct ReportedRun {
    final class Screen: Sendable {
        private let shown = Mutex("")
        var text: String { shown.withLock { $0 } }
        var console: Console {
            Console(
                isTerminal: false,
                output: { text in
                    self.shown.withLock { $0 += text }
                    return true
                })
        }
    }

    let directory: RunDirectory
    let screen = Screen()
    let loaded: LoadedConfiguration

    init(_ path: String, _ settings: [String] = []) throws {
        directory = RunDirectory(FilePath(path + "/run"))
        loaded = try RunConfiguration.load(
            file: nil,
            overrides: ["run.directory=\(path)/run", "batch.global=8", "log.everySeconds=1000"] + settings)
        try directory.create()
    }

    func reporter(isRoot: Bool = true) throws -> RunReporter {
        try RunReporter(
            directory, loaded, hosts: ["node1", "node2"], isRoot: isRoot, console: screen.console)
    }

    func begin(_ reporter: RunReporter, step: Int = 0, from checkpoint: String? = nil) throws {
        var position = RunPosition()
        (position.step, position.epoch) = (step, step / 4)
        let configuration = loaded.configuration
        try reporter.begin(
            RunDescription(
                task: "pixpro at 224 px", parameters: 12, images: 33, elementType: .float32,
                batch: BatchPlan(configuration: configuration, ranks: 2), peakLearningRate: 0.1,
                communication: "inline", machine: MachineSummary(hosts: ["a"], processors: ["B"], library: ""),
                cores: CorePlan(
                    masks: [CoreMask(cores: [0]), CoreMask(cores: [1])], ranksInJob: 2,
                    configuration: configuration)), position, resumedFrom: checkpoint)
    }

    /// Step 1, 2, 3, … of epochs of four.
    func step(
        _ reporter: RunReporter, _ step: Int, loss: Double = -1, observation: StepObservation = StepObservation()
    ) throws {
        let ranks = (0..<2).map { _ in
            var figures = Figures()
            figures.add("loss", sum: loss / 2)
            StepSummary.add(
                times: StepTimes(total: 2, data: 0.5, communication: 0.5), unreadable: 0, stopSignal: 0,
                to: &figures)
            return figures
        }
        let sums = zip(ranks[0].message(rank: 0, ranks: 2), ranks[1].message(rank: 1, ranks: 2)).map { $0 + $1 }
        let summary = StepSummary(
            try ranks[0].totals(of: sums, ranks: 2), phases: [TrainingPhase(name: "", module: 0)])
        var position = RunPosition()
        (position.step, position.epoch, position.samplesInEpoch) = (step, step / 4, step % 4 * 8)
        reporter.stepped(
            position, summary, observation, learningRate: 0.1, epoch: (step - 1) / 4, schedule: schedule, images: 8)
    }

    /// Two epochs of four steps.
    private var schedule: RunSchedule {
        var configuration = loaded.configuration
        (configuration.schedule.epochs, configuration.schedule.warmupEpochs) = (2, 0)
        var settings = PretrainingSettings()
        (settings.model.architecture, settings.model.projectorWidth) = (.tiny, 8)
        return RunSchedule(configuration, PretrainingTask(settings), globalBatch: 8, images: 33)
    }

    func records() throws -> [MetricRecord] { try MetricsFile.read(directory.metrics).records }
    func log() throws -> String { try WholeFile.text(of: directory.log) }

    static func with(_ settings: [String] = [], _ body: (ReportedRun) throws -> Void) throws {
        try withTemporaryDirectory { try body(ReportedRun($0, settings)) }
    }
}

/// Of a test that expects none.
func recorded() -> ToleratedFailures { ToleratedFailures { Issue.record("\($0)") } }
