import Glibc
import Synchronization

/// The run's log: lines with UTC time and level appended to a file, and the same words on the console.
///
/// Safe to use from any thread.
public final class RunLog: Sendable {
    public enum Level: String, Sendable {
        case info, warning, error
    }

    public let console: Console
    private let path: String
    private let clock: TimeSource
    /// The file's descriptor; -1 once writing to it has failed.
    private let file: Mutex<Int32>

    /// Appends to `path`, which is made where it does not exist.
    ///
    /// - Throws: `TextFileError` where it cannot be opened.
    public init(path: String, console: Console = .standardError, clock: TimeSource = .system) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw TextFileError(path: path, action: "open") }
        (self.path, self.console, self.clock) = (path, console, clock)
        file = Mutex(descriptor)
    }

    deinit {
        let descriptor = file.withLock { $0 }
        if descriptor >= 0 { close(descriptor) }
    }

    public func info(_ text: String) { write(.info, text) }
    public func warning(_ text: String) { write(.warning, text) }
    public func error(_ text: String) { write(.error, text) }

    private func write(_ level: Level, _ text: String) {
        console.print(level == .info ? text : "\(level.rawValue): \(text)")
        writeToFile(level, text)
    }

    /// Only to the file, for what the console shows in its own way.
    func writeToFile(_ level: Level, _ text: String) {
        let start = "\(TimeSource.utc(clock.wall()))  \(level.rawValue.padding(to: 7))  "
        let indent = String(repeating: " ", count: start.count)
        let line =
            start + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n" + indent)
        file.withLock { descriptor in
            guard descriptor >= 0 else { return }
            do {
                try TextFile.writeAll(Array((line + "\n").utf8), to: descriptor, path: path)
            } catch {
                // A full disk must not end the training that checkpoints may still save: say it once, go on without.
                close(descriptor)
                descriptor = -1
                console.print("warning: \(error); the log goes on here only")
            }
        }
    }
}
