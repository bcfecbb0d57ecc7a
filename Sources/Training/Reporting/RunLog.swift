import Files
import Synchronization
package import SystemPackage
package import Threads

/// The run's log: lines with UTC time and level appended to a file, and the same words on the console.
///
/// Safe to use from any thread.
package final class RunLog: Sendable {
    package enum Level: String, Sendable {
        case info, warning, error
    }

    package let console: Console
    private let clock: any TimeSource
    private let file: Mutex<Target>

    private struct Target {
        let path: FilePath
        /// nil after writing to it has failed, until it is opened anew.
        var open: AppendedFile?
        /// Lines that it has not taken since.
        var lost = 0
    }

    /// Appends to `path`, which is made where it does not exist.
    ///
    /// - Throws: `FileError` where it cannot be opened.
    package init(path: FilePath, console: Console = .standardError, clock: any TimeSource = SystemClock()) throws {
        (self.console, self.clock) = (console, clock)
        file = Mutex(Target(path: path, open: try AppendedFile(path: path)))
    }

    package func info(_ text: String) { write(.info, text) }
    package func warning(_ text: String) { write(.warning, text) }
    package func error(_ text: String) { write(.error, text) }

    private func write(_ level: Level, _ text: String) {
        console.print(level == .info ? text : "\(level.rawValue): \(text)")
        writeToFile(level, text)
    }

    /// Only to the file, for what the console shows in its own way.
    package func writeToFile(_ level: Level, _ text: String) {
        let start = "\(TimeText.utc(clock.wall))  \(level.rawValue.padding(to: 7))  "
        let indent = String(repeating: " ", count: start.count)
        let line =
            start + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n" + indent)
        file.withLock { file in
            do {
                let isNew = file.open == nil
                let open = try file.open ?? AppendedFile(path: file.path)
                // What failed may have left a part of a line.
                let gap = isNew ? "\n\(start)\(file.lost) lines were lost while this file could not be written\n" : ""
                try open.append(Array((gap + line + "\n").utf8))
                (file.open, file.lost) = (open, 0)
            } catch {
                // A full disk must not end the training that checkpoints may still save: it is said once, and every
                // later line tries again.
                if file.lost == 0 {
                    console.print("warning: \(error); until it can be written again the log goes on here only")
                }
                file.open = nil
                file.lost += 1
            }
        }
    }
}
