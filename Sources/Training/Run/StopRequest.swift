import Glibc
import Synchronization

/// A signal's wish that the run save its state and end: SIGUSR1 (a scheduler's warning), SIGTERM or SIGINT.
///
/// Before the first step there is nothing to save: the process leaves at once, whatever it is waiting for. From then on
/// the first signal is only remembered; the ranks tell each other after every step, so that all stop at the same one. A
/// second one ends the process at once.
package enum StopRequest {
    private static let signals = [SIGUSR1, SIGTERM, SIGINT]
    /// One request may arrive twice: from the scheduler and, forwarded, from the launcher.
    private static let millisecondsToForgiveRepeats: Int64 = 1000

    /// Keeps signals waiting until `install`, also while a program replaces itself.
    package static func hold() { changeMask(SIG_BLOCK) }

    /// Begins to listen, first of all: until `rememberFromNow` a signal ends the process with `status`.
    ///
    /// - Parameter speaker: what the line about it begins with; nil for a rank that leaves silently.
    package static func install(speaker: String?, status: Int32) {
        // All that the handler touches exists before it.
        received.store(0, ordering: .relaxed)
        remembers.store(false, ordering: .relaxed)
        statusWithoutSteps = status
        farewell = speaker.flatMap { strdup("\($0): stopped by a signal before the first step: nothing is lost\n") }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handle
        action.sa_flags = Int32(SA_RESTART)
        for signal in signals { sigaction(signal, &action, nil) }
        changeMask(SIG_UNBLOCK)
    }

    /// Steps begin, after which there is something to save.
    static func rememberFromNow() { remembers.store(true, ordering: .sequentiallyConsistent) }

    /// Whether this rank has received a signal.
    static var isPending: Bool { pendingSignal != 0 }

    /// The number of the signal; 0 for none.
    static var pendingSignal: Int32 { Request(word: received.load(ordering: .relaxed))?.signal ?? 0 }

    static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGUSR1: "SIGUSR1"
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        default: "signal \(signal)"
        }
    }

    /// A signal and when it came, in one word, so that nobody ever sees one without the other.
    package struct Request: Equatable {
        package let signal: Int32
        /// Of a clock that only grows; at least 1.
        package let milliseconds: Int64

        package init(signal: Int32, milliseconds: Int64) { (self.signal, self.milliseconds) = (signal, milliseconds) }

        /// Nil for 0.
        package init?(word: Int64) {
            guard word != 0 else { return nil }
            self.init(signal: Int32(word & 0xFF), milliseconds: word >> 8)
        }

        package var word: Int64 { milliseconds << 8 | Int64(signal) }

        /// Whether one that comes `later` is this one again, on another way.
        package func isRepeated(by later: Request) -> Bool {
            later.milliseconds - milliseconds <= millisecondsToForgiveRepeats
        }
    }

    /// Calls only what a signal handler may.
    private static let handle: @convention(c) (Int32) -> Void = { signal in
        guard remembers.load(ordering: .sequentiallyConsistent) else { leave() }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let request = Request(
            signal: signal, milliseconds: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000 + 1)
        let (isFirst, before) = received.compareExchange(expected: 0, desired: request.word, ordering: .relaxed)
        if isFirst || Request(word: before)!.isRepeated(by: request) { return }
        _exit(128 + signal)
    }

    private static func leave() -> Never {
        var output = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        // Nobody waits for a reader that does not read.
        if let farewell, poll(&output, 1, 0) == 1 { write(STDERR_FILENO, farewell, strlen(farewell)) }
        _exit(statusWithoutSteps)
    }

    private static func changeMask(_ how: Int32) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        sigprocmask(how, &set, nil)
    }
}

/// A `StopRequest.Request` as a word; 0 for none.
private let received = Atomic<Int64>(0)
private let remembers = Atomic(false)
// Written before the handler is there, and never again.
nonisolated(unsafe) private var statusWithoutSteps: Int32 = 0
nonisolated(unsafe) private var farewell: UnsafeMutablePointer<CChar>?
