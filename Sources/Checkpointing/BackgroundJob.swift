#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// One piece of work on a thread of its own.
final class BackgroundJob<Value: Sendable>: @unchecked Sendable {
    // @unchecked: `outcome` is only touched under `lock`.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var outcome: Result<Value, any Error>?

    /// Starts `body`, which alone uses what it captures until it has ended.
    init(_ body: @escaping () throws -> Value) {
        pthread_mutex_init(lock, nil)
        pthread_cond_init(done, nil)
        let run = Unmanaged.passRetained(Body { [self] in finish(Result { try body() }) })
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, run.toOpaque())
        precondition(code == 0, "cannot start a background thread: error \(code)")
        pthread_detach(thread)
    }

    deinit {
        pthread_mutex_destroy(lock)
        pthread_cond_destroy(done)
        lock.deallocate()
        done.deallocate()
    }

    /// The outcome, or nil while the work goes on.
    var result: Result<Value, any Error>? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return outcome
    }

    /// Returns when the work is done.
    func wait() {
        pthread_mutex_lock(lock)
        while outcome == nil { pthread_cond_wait(done, lock) }
        pthread_mutex_unlock(lock)
    }

    private func finish(_ result: Result<Value, any Error>) {
        pthread_mutex_lock(lock)
        outcome = result
        pthread_cond_broadcast(done)
        pthread_mutex_unlock(lock)
    }
}

private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}
