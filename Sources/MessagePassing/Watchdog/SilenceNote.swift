import Synchronization
import Threads

/// What launchers are told of hosts that fall silent, and are heard again: never by the thread that listens, because the
/// file system may be what hangs.
package final class SilenceNote: Sendable {
    private struct State {
        /// Nil after a failure.
        var told: [String]? = []
        var isWriting = false
        /// When a note is tried again that could not be left; nil where the last one could.
        var nextAttempt: ContinuousClock.Instant?
    }

    private let warn: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// From a failure to the next attempt.
    private static let patience = Duration.seconds(1)

    /// - Parameter warn: is told why a note cannot be left, once until one can; must return at once.
    package init(warn: @escaping @Sendable (String) -> Void) { self.warn = warn }

    /// Leaves a note where these are others than were told last; returns at once. One that cannot be left is tried again by
    /// calls a second later.
    package func tell(_ hosts: [String], in notes: LauncherNotes) {
        let isNews = state.withLock { state in
            guard !state.isWriting, state.told != hosts, state.nextAttempt.map({ $0 <= .now }) ?? true else {
                return false
            }
            state.isWriting = true
            return true
        }
        guard isNews else { return }
        do {
            try SystemThread("silence") { [self] in
                do {
                    try notes.note(silent: hosts)
                    state.withLock { $0 = State(told: hosts) }
                } catch {
                    fail("\(error)")
                }
            }.detach()
        } catch {
            fail("\(error)")
        }
    }

    private func fail(_ reason: String) {
        let isFirst = state.withLock { state in
            defer { state = State(told: nil, nextAttempt: .now + Self.patience) }
            return state.nextAttempt == nil
        }
        if isFirst { warn(reason) }
    }
}
