import CStacks
import Files
import Glibc
import Synchronization
import SystemPackage
import Threads

/// What the watchdog leaves in a directory, which is made when there is something to leave: what every rank of a job that
/// hung was doing, and notes for launchers.
struct WatchdogReports: Sendable {
    let directory: FilePath

    var notes: LauncherNotes { .ofThisProcess(in: directory) }

    /// Where there is no run yet.
    static let elsewhere = WatchdogReports(directory: "/tmp/pixpro-watchdog")

    /// Writes this rank's part of a report: `words` if any, its latest collectives, and the stacks of its threads.
    func write(_ report: String, rank: Int, host: String, words: String?) throws {
        let folder = directory.appending(report)
        try FileSystem.makeDirectories(folder)
        let file = try OutputFile(path: folder.appending("rank-\(String(rank).zeroPadded(to: 5)).txt"))
        let head =
            (words.map { $0 + "\n\n" } ?? "") + "rank \(rank) on \(host)\n\nlatest collectives:\n"
            + CollectiveLog.shared.description() + "\nthreads:\n"
        try file.append(Array(head.utf8))
        let code = file.withDescriptor { cstacks_write($0, 200) }
        guard code == 0 else { throw FileError(path: file.path, doing: "write the file", code: code) }
        try file.finish()
    }

    /// Does `work` on a thread of its own, for at most `seconds`: the file system may be what hangs. Returns why it could
    /// not be done; nil where it was.
    static func attempt(seconds: Double, _ work: @escaping @Sendable () throws -> Void) -> String? {
        let attempt = Attempt()
        do { try SystemThread("report") { attempt.make(work) }.detach() } catch {
            // A system that grants no thread has it done here, and waited for.
            attempt.make(work)
        }
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if let outcome = attempt.outcome { return outcome.isEmpty ? nil : outcome }
            usleep(10_000)
        }
        return "the file system has not answered for \(Int(seconds)) s"
    }

    private final class Attempt: Sendable {
        private let state = Mutex<String?>(nil)

        /// What went wrong, empty for nothing; nil while it goes on.
        var outcome: String? { state.withLock { $0 } }

        func make(_ work: () throws -> Void) {
            var outcome = ""
            do { try work() } catch { outcome = "\(error)" }
            state.withLock { $0 = outcome }
        }
    }
}
