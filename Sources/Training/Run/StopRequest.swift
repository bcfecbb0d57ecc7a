import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A signal's wish that the run save its state and end: SIGUSR1 (a scheduler's warning), SIGTERM or SIGINT.
///
/// The first signal only sets a flag, which the ranks exchange after every step, so that all stop at the same one. A
/// second ends the process at once.
enum StopRequest {
    private static let signals = [SIGUSR1, SIGTERM, SIGINT]
    /// One request may arrive twice: from the scheduler and, forwarded, from the launcher.
    private static let secondsToForgiveRepeats: Int64 = 1

    static func install() {
        // Both flags exist before a handler may touch them.
        receivedSignal.store(0, ordering: .relaxed)
        receivedAt.store(0, ordering: .relaxed)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = handle
        action.sa_flags = Int32(SA_RESTART)
        for signal in signals { sigaction(signal, &action, nil) }
    }

    /// Whether this rank has received a signal.
    static var isPending: Bool { receivedSignal.load(ordering: .relaxed) != 0 }

    /// The number of the signal; 0 for none.
    static var pendingSignal: Int32 { receivedSignal.load(ordering: .relaxed) }

    static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGUSR1: "SIGUSR1"
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        default: "signal \(signal)"
        }
    }

    /// Calls only what a signal handler may.
    private static let handle: @convention(c) (Int32) -> Void = { signal in
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let (isFirst, _) = receivedSignal.compareExchange(expected: 0, desired: signal, ordering: .relaxed)
        if isFirst {
            receivedAt.store(Int64(now.tv_sec), ordering: .relaxed)
        } else if Int64(now.tv_sec) - receivedAt.load(ordering: .relaxed) > StopRequest.secondsToForgiveRepeats {
            _exit(128 + signal)
        }
    }
}

private let receivedSignal = Atomic<Int32>(0)
private let receivedAt = Atomic<Int64>(0)
