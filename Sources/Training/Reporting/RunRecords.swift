import Checkpointing
import Files
import Learning
import SystemPackage

/// A run's records for programs: metrics.jsonl, TensorBoard's events, and the pictures of its evaluations. What one file does
/// not take, the others still get. Rank zero has them.
final class RunRecords {
    private let directory: RunDirectory
    private let failures: ToleratedFailures
    private var metrics: MetricsFile
    private var tensorBoard: TensorBoardWriter
    /// After which metrics.jsonl may still have records of steps that are trained anew.
    private var lastStepKept: Int?
    /// For metrics.jsonl, until that is cut.
    private var waiting: [MetricRecord] = []

    /// Opens the files for what comes after `step`.
    init(_ directory: RunDirectory, after step: Int, _ failures: ToleratedFailures) throws {
        (self.directory, self.failures) = (directory, failures)
        metrics = try MetricsFile(path: directory.metrics, firstStep: step + 1)
        tensorBoard = try TensorBoardWriter(directory: directory.tensorBoard, resumedAtStep: step)
    }

    /// The last step whose records were taken out at the start; nil where none was.
    var lastDropped: Int? { metrics.lastDropped }

    func add(_ record: MetricRecord) {
        waiting.append(record)
        failures.attempt(writeMetrics)
        failures.attempt { try tensorBoard.write(record) }
    }

    func add(text: String, named tag: String, step: Int) {
        failures.attempt { try tensorBoard.text(tag, text, step: step) }
    }

    /// Into `pictures/step-00000120/`, and to TensorBoard.
    func add(_ pictures: [EvaluationPicture], step: Int) {
        let folder = directory.pictures.appending(CheckpointCatalog.name(ofStep: step))
        for picture in pictures {
            let png = Array(picture.png)
            failures.attempt {
                let path = folder.pushing(FilePath(text: picture.name).belowAnyFolder).appending(suffix: ".png")
                try FileSystem.makeDirectories(path.removingLastComponent())
                try WholeFile.write(png, to: path, isDurable: false)
            }
            failures.attempt {
                try tensorBoard.image(
                    picture.name, png: png, width: picture.width, height: picture.height, step: step)
            }
        }
    }

    /// Training goes back to a step: what comes after it is recorded anew.
    func goBack(to step: Int) {
        waiting.removeAll { $0.step > step }
        lastStepKept = min(step, lastStepKept ?? step)
        failures.attempt {
            tensorBoard = try TensorBoardWriter(directory: directory.tensorBoard, resumedAtStep: step)
        }
    }

    /// Everything is written when this returns, or was said not to be. Nothing waits for the disk: other ranks would, too.
    func finish() {
        failures.attempt {
            try writeMetrics()
            try metrics.finish()
        }
        failures.attempt { try tensorBoard.finish() }
    }

    private func writeMetrics() throws {
        if let step = lastStepKept {
            try metrics.finish()
            metrics = try MetricsFile(path: directory.metrics, firstStep: step + 1)
            lastStepKept = nil
        }
        while !waiting.isEmpty { try metrics.append(waiting.removeFirst()) }
    }
}
