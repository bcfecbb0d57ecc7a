#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The files of a run, as a person finds them.
public struct RunDirectory: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// The configuration that the run follows, every key with its value.
    public var configuration: String { path + "/config.resolved.yaml" }
    public var metrics: String { path + "/metrics.jsonl" }
    public var log: String { path + "/log.txt" }
    public var curves: String { path + "/curves" }
    /// Images that could not be read, one a line with the reason.
    public var skipped: String { path + "/skipped.txt" }
    /// Steps whose numbers were not finite, with their images.
    public var nonFinite: String { path + "/nonfinite.txt" }
    /// What the watchdog wrote when it ended the job.
    public var watchdog: String { path + "/watchdog" }
    public var tensorBoard: String { path + "/tensorboard" }

    /// Makes the directory and those above it.
    public func create() throws {
        for directory in [path, curves, tensorBoard] { try Self.makeDirectories(directory) }
    }

    private static func makeDirectories(_ path: String) throws {
        var partial = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            partial += "/" + part
            if mkdir(partial, 0o777) != 0, errno != EEXIST { throw TextFileError(path: partial, action: "create") }
        }
    }
}
