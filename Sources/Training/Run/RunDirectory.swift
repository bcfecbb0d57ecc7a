package import Files
package import SystemPackage

/// The files of a run, as a person finds them.
package struct RunDirectory: Sendable {
    package let path: FilePath

    package init(_ path: FilePath) { self.path = path }

    /// The configuration that the run follows, every key with its value.
    package var configuration: FilePath { path.appending("config.resolved.yaml") }
    package var metrics: FilePath { path.appending("metrics.jsonl") }
    /// The run's identity, its starts, how far each came and what its time went on.
    package var history: FilePath { path.appending("history.jsonl") }
    package var log: FilePath { path.appending("log.txt") }
    /// Curves, scores, pictures, where time went: one page.
    package var report: FilePath { path.appending("report.html") }
    /// The pictures as rank zero last listed them, which later starts use as long as no folder has changed.
    package var pictureList: FilePath { path.appending("pictures.list") }
    /// What was drawn while scoring, in a folder for each step.
    package var pictures: FilePath { path.appending("pictures") }
    /// Images that could not be read, one a line with the reason.
    package var skipped: FilePath { path.appending("skipped.txt") }
    /// Steps whose numbers were not finite, with their images.
    package var nonFinite: FilePath { path.appending("nonfinite.txt") }
    /// Such steps as `pixpro replay` does again, in a folder each.
    package var nonFiniteSteps: FilePath { path.appending("nonfinite") }
    /// What the watchdog wrote when it ended the job.
    package var watchdog: FilePath { path.appending("watchdog") }
    package var tensorBoard: FilePath { path.appending("tensorboard") }

    /// Makes the directory and those above it, whose names a loss of power does not take then.
    package func create(_ files: any FileOperations = SystemFiles()) throws {
        try files.makeLastingDirectories(path)
        try files.makeDirectories(tensorBoard)
    }
}
