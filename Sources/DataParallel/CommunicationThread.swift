import Threads

/// A thread that runs jobs one after another in the order in which they were submitted, and stops at the first error.
final class CommunicationThread {
    private let queue = JobQueue()

    init() throws {
        try SystemThread("communication") { [queue] in queue.work() }.detach()
    }

    /// Lets the thread end. Not waited for: after an error it may be in a collective that never returns, and the error
    /// must reach the place that aborts the job.
    deinit { queue.stop() }

    /// The number of the job, from one. Nothing is done once a job has failed.
    func submit(_ job: @escaping () throws -> Void) -> Int { queue.append(job) }

    /// Returns when the jobs up to `number` have run; throws the first error of any.
    func wait(for number: Int) throws { try queue.wait(for: number) }
}

private final class JobQueue {
    // Everything below is only touched under `lock`.
    private let lock = Monitor()
    private let changed = Monitor.Condition()
    private var jobs: [() throws -> Void] = []
    private var submitted = 0
    private var done = 0
    private var isStopping = false
    private var failure: (any Error)?

    func append(_ job: @escaping () throws -> Void) -> Int {
        lock.withLock {
            submitted += 1
            if failure == nil { jobs.append(job) }
            changed.wakeAll()
            return submitted
        }
    }

    func stop() {
        update {
            isStopping = true
            jobs = []
        }
    }

    func wait(for number: Int) throws {
        try lock.withLock {
            lock.wait(for: changed) { done >= number || failure != nil }
            if let failure { throw failure }
        }
    }

    /// The thread's body.
    func work() {
        while let job = next() {
            let outcome = Result { try job() }
            update {
                done += 1
                guard case .failure(let error) = outcome else { return }
                failure = error
                jobs = []
            }
        }
    }

    /// Waits for a job; nil when the thread shall end.
    private func next() -> (() throws -> Void)? {
        lock.withLock {
            lock.wait(for: changed) { !jobs.isEmpty || isStopping }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }

    private func update(_ body: () -> Void) {
        lock.withLock {
            body()
            changed.wakeAll()
        }
    }
}
