import Files
import Glibc
import Synchronization
import Threads

/// What launchers are told of hosts that fall silent, and are heard again: never by the thread that listens, because the
/// file system may be what hangs.
package final class SilenceNote: Sendable {
    private struct State {
        /// Nil after a failure.
        var told: [String]? = []
        var isWriting = false
        var hasWarned = false
    }

    private let program: String
    private let state = Mutex(State())

    /// Seconds from a failure to the next attempt.
    private static let patience: UInt32 = 1

    package init(program: String) { self.program = program }

    /// Leaves a note where these are others than were told last; returns at once. A note that cannot be left is tried again
    /// by a later call, and warned of once: the launcher asks the hosts when the job has ended.
    package func tell(_ hosts: [String], in notes: LauncherNotes) {
        let isNews = state.withLock { state in
            guard !state.isWriting, state.told != hosts else { return false }
            state.isWriting = true
            return true
        }
        guard isNews else { return }
        do {
            try SystemThread("silence") { [self] in
                do {
                    try notes.note(silent: hosts)
                    end(told: hosts)
                } catch {
                    warn("\(error)")
                    sleep(Self.patience)
                    end(told: nil)
                }
            }.detach()
        } catch {
            warn("\(error)")
            end(told: nil)
        }
    }

    private func end(told hosts: [String]?) {
        state.withLock { state in
            state.told = hosts
            state.isWriting = false
        }
    }

    private func warn(_ reason: String) {
        let isFirst = state.withLock { state in
            defer { state.hasWarned = true }
            return !state.hasWarned
        }
        guard isFirst else { return }
        StandardError.write(line: "\(program): warning: launchers cannot be told of silent hosts: \(reason)")
    }
}
