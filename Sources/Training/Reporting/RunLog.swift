import Files
import Synchronization
import SystemPackage

/// The run's log: lines with UTC time and level appended to a file, and the same words on the console.
///
/// Safe to use from any thread.
public final class RunLog: Sendable {
    public enum Level: String, Sendable {
        case info, warning, error
    }

    public let console: Console
    private let clock: TimeSource
    /// nil once writing to it has failed.
    private let file: Mutex<AppendedFile?>

    /// Appends to `path`, which is made where it does not exist.
    ///
    /// - Throws: `FileError` where it cannot be opened.
    public init(path: FilePath, console: Console = .standardError, clock: TimeSource = .system) throws {
        (self.console, self.clock) = (console, clock)
        file = Mutex(try AppendedFile(path: path))
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
        file.withLock { file in
            do {
                try file?.append(Array((line + "\n").utf8))
            } catch {
                // A full disk must not end the training that checkpoints may still save: say it once, go on without.
                file = nil
                console.print("warning: \(error); the log goes on here only")
            }
        }
    }
}
