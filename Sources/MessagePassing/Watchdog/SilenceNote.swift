import Synchronization
import Threads

/// What launchers are told of hosts that fall silent, and are heard again: never by the thread that listens, because the
/// file system may be what hangs.
final class SilenceNote: Sendable {
    private struct State {
        var told: [String] = []
        var isWriting = false
    }

    private let state = Mutex(State())

    /// Leaves a note where these are others than were told last; returns at once.
    func tell(_ hosts: [String], in reports: WatchdogReports) {
        let isNews = state.withLock { state in
            guard !state.isWriting, state.told != hosts else { return false }
            state = State(told: hosts, isWriting: true)
            return true
        }
        guard isNews else { return }
        do {
            try SystemThread("silence") { [self] in
                // A launcher that finds no note asks the hosts once the job has ended.
                try? reports.note(silent: hosts)
                state.withLock { $0.isWriting = false }
            }.detach()
        } catch {
            state.withLock { $0.isWriting = false }
        }
    }
}
