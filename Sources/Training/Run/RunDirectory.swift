import Files
import SystemPackage

/// The files of a run, as a person finds them.
public struct RunDirectory: Sendable {
    public let path: FilePath

    public init(_ path: FilePath) { self.path = path }

    /// The configuration that the run follows, every key with its value.
    public var configuration: FilePath { path.appending("config.resolved.yaml") }
    public var metrics: FilePath { path.appending("metrics.jsonl") }
    public var log: FilePath { path.appending("log.txt") }
    public var curves: FilePath { path.appending("curves") }
    /// Images that could not be read, one a line with the reason.
    public var skipped: FilePath { path.appending("skipped.txt") }
    /// Steps whose numbers were not finite, with their images.
    public var nonFinite: FilePath { path.appending("nonfinite.txt") }
    /// What the watchdog wrote when it ended the job.
    public var watchdog: FilePath { path.appending("watchdog") }
    public var tensorBoard: FilePath { path.appending("tensorboard") }

    /// Makes the directory and those above it.
    public func create() throws {
        for directory in [path, curves, tensorBoard] { try FileSystem.makeDirectories(directory) }
    }
}
