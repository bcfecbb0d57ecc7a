import Glibc
import Synchronization

/// Signals that ask the launcher to stop: SIGTERM, SIGINT, SIGUSR1 (a scheduler's warning), SIGHUP (the terminal is gone).
///
/// The first asks the run to save; one within a second of it is the same wish, sent twice; a later one ends the job.
/// SIGUSR2 asks for something else: that the run saves, and starts anew on all hosts that there are by now.
enum StopSignals {
    /// Seconds.
    static let forgiveness = 1.0

    /// To be called on the main thread, before any other is there; once more changes nothing.
    static func install() { _ = installed }

    private static let installed: Void = {
        // Also makes them, which a handler must not.
        firstSignal.store(0, ordering: .relaxed)
        secondSignal.store(0, ordering: .relaxed)
        renewal.store(false, ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handle
        action.sa_flags = Int32(SA_RESTART)
        for signal in [SIGTERM, SIGINT, SIGUSR1, SIGHUP] {
            var before = sigaction()
            sigaction(signal, nil, &before)
            // nohup: the terminal's end is no reason to stop.
            let ignored = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == 1
            if signal != SIGHUP || !ignored { sigaction(signal, &action, nil) }
        }
        action.__sigaction_handler.sa_handler = { _ in renewal.store(true, ordering: .relaxed) }
        sigaction(SIGUSR2, &action, nil)
        // Whoever started this may have left them blocked, and the threads and jobs to come inherit that.
        var stops = sigset_t()
        sigemptyset(&stops)
        for signal in [SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGUSR2] { sigaddset(&stops, signal) }
        pthread_sigmask(SIG_UNBLOCK, &stops, nil)
        // What is printed for nobody shall not end the launcher.
        Glibc.signal(SIGPIPE, SIG_IGN)
    }()

    /// The signal that asked first; nil for none.
    static var asked: String? {
        switch firstSignal.load(ordering: .relaxed) {
        case 0: nil
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        case SIGUSR1: "SIGUSR1"
        default: "SIGHUP"
        }
    }

    /// Whether a second one wants the end at once.
    static var insists: Bool { secondSignal.load(ordering: .relaxed) != 0 }

    /// Whether SIGUSR2 came since the last `forgetRenewal`.
    static var asksForRenewal: Bool { renewal.load(ordering: .relaxed) }

    static func forgetRenewal() { renewal.store(false, ordering: .relaxed) }

    /// Calls only what a signal handler may.
    private static let handle: @convention(c) (Int32) -> Void = { signal in
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let time = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        let (_, first) = firstTime.compareExchange(expected: 0, desired: time, ordering: .relaxed)
        if first == 0 {
            firstSignal.store(signal, ordering: .relaxed)
        } else if time - first > Int64(forgiveness * 1e9) {
            secondSignal.store(signal, ordering: .relaxed)
        }
    }
}

private let firstTime = Atomic<Int64>(0)
private let firstSignal = Atomic<Int32>(0), secondSignal = Atomic<Int32>(0)
private let renewal = Atomic(false)
