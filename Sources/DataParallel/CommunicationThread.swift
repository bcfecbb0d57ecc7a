#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A thread that runs jobs one after another in the order in which they were submitted, and stops at the first error.
final class CommunicationThread {
    private let queue = JobQueue()

    init() {
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<JobQueue>.fromOpaque(argument!).takeRetainedValue().work()
                return nil
            }, Unmanaged.passRetained(queue).toOpaque())
        precondition(code == 0, "cannot start the communication thread: error \(code)")
        pthread_detach(thread)
    }

    /// Lets the thread end. Not waited for: after an error it may be in a collective that never returns, and the error
    /// must reach the place that aborts the job.
    deinit { queue.stop() }

    /// Does nothing once a job has failed.
    func submit(_ job: @escaping () throws -> Void) { queue.append(job) }

    /// Returns when every submitted job has run; throws the first error of any.
    func wait() throws { try queue.wait() }
}

private final class JobQueue {
    // Everything below is only touched under `lock`.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [() throws -> Void] = []
    private var isRunning = false
    private var isStopping = false
    private var failure: (any Error)?

    init() {
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        pthread_cond_destroy(changed)
        lock.deallocate()
        changed.deallocate()
    }

    func append(_ job: @escaping () throws -> Void) {
        update { if failure == nil { jobs.append(job) } }
    }

    func stop() {
        update {
            isStopping = true
            jobs = []
        }
    }

    func wait() throws {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while isRunning || !jobs.isEmpty { pthread_cond_wait(changed, lock) }
        if let failure { throw failure }
    }

    /// The thread's body.
    func work() {
        while let job = next() {
            let outcome = Result { try job() }
            update {
                isRunning = false
                guard case .failure(let error) = outcome else { return }
                failure = error
                jobs = []
            }
        }
    }

    /// Waits for a job; nil when the thread shall end.
    private func next() -> (() throws -> Void)? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while jobs.isEmpty && !isStopping { pthread_cond_wait(changed, lock) }
        guard !jobs.isEmpty else { return nil }
        isRunning = true
        return jobs.removeFirst()
    }

    private func update(_ body: () -> Void) {
        pthread_mutex_lock(lock)
        body()
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
    }
}
