import Threads

/// One piece of work on a thread of its own.
final class BackgroundJob<Value: Sendable>: @unchecked Sendable {
    // @unchecked: `outcome` is only touched under `lock`.
    private let lock = Monitor()
    private let done = Monitor.Condition()
    private var outcome: Result<Value, any Error>?

    /// Starts `body`, which alone uses what it captures until it has ended. A thread that cannot be started is the
    /// outcome.
    init(_ name: String, _ body: @escaping () throws -> Value) {
        do {
            try SystemThread(name) { [self] in finish(Result { try body() }) }.detach()
        } catch {
            finish(.failure(error))
        }
    }

    /// The outcome, or nil while the work goes on.
    var result: Result<Value, any Error>? { lock.withLock { outcome } }

    /// Returns when the work is done.
    func wait() { lock.withLock { lock.wait(for: done) { outcome != nil } } }

    private func finish(_ result: Result<Value, any Error>) {
        lock.withLock {
            outcome = result
            done.wakeAll()
        }
    }
}
