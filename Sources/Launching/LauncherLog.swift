import Files
import MessagePassing
import SystemPackage
import Training

/// What the launcher says: on standard error, and with times in `launcher/log.txt` of the run's directory.
///
/// What is said before the directory is known is written there as soon as it is.
final class LauncherLog: @unchecked Sendable {
    // @unchecked: `file` and `early` are set by the launcher's one task, before it starts jobs.
    private var file: RunLog?
    private var early: [String] = []
    private var said: Set<String> = []

    private static let console = Console(
        isTerminal: false,
        output: {
            LauncherLog.print($0)
            return true
        })

    @discardableResult static func print(_ text: String) -> Bool {
        StandardError.write(text.split(separator: "\n").map { "launch: \($0)\n" }.joined())
    }

    /// The log of a run's directory, from now on.
    func open(_ directory: FilePath) throws {
        guard file == nil else { return }
        // Beside what is said, its console hears that the file cannot be written.
        file = try RunLog(path: RunSight.folder(directory).appending("log.txt"), console: Self.console)
        early.forEach(note)
        early = []
    }

    func say(_ text: String) {
        Self.console.print(text)
        note(text)
    }

    /// Says what has not been said since the last `forget`.
    func sayOnce(_ text: String) { if said.insert(text).inserted { say(text) } }

    /// A job begins: what was said before it may be said again.
    func forget() { said = [] }

    /// Only in the file.
    func note(_ text: String) {
        if let file { file.writeToFile(.info, text) } else { early.append(text) }
    }
}
