import Glibc
import Threads

/// Text that a thread of its own writes, in order. Lives as long as the program: the thread waits for ever.
package final class OutputQueue: @unchecked Sendable {
    // @unchecked: what varies is only touched under `lock`.
    private let lock = Monitor(), changed = Monitor.Condition()
    private let write: @Sendable ([UInt8]) -> Void
    private let limit: Int
    private var waiting: [[UInt8]] = []
    /// Of those that wait and the one that is being written.
    private var byteCount = 0
    private var isStarted = false

    /// - Parameters:
    ///   - limit: bytes that may wait.
    ///   - write: writes a text, however long that takes.
    package init(limit: Int = 1 << 16, write: @escaping @Sendable ([UInt8]) -> Void) {
        (self.limit, self.write) = (limit, write)
    }

    /// False where the text does not fit beside what waits, and is dropped; `isUrgent` text always fits.
    @discardableResult
    package func add(_ text: String, isUrgent: Bool = false) -> Bool {
        let bytes = Array(text.utf8)
        return lock.withLock {
            guard isUrgent || byteCount == 0 || byteCount + bytes.count <= limit else { return false }
            do { try start() } catch {
                // A system that grants no thread has it written here, and waited for.
                write(bytes)
                return true
            }
            waiting.append(bytes)
            byteCount += bytes.count
            changed.wakeAll()
            return true
        }
    }

    /// Returns once all is written, at most after `seconds`.
    package func finish(seconds: Double) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while lock.withLock({ byteCount > 0 }) && ContinuousClock.now < deadline { usleep(1_000) }
    }

    private func start() throws {
        guard !isStarted else { return }
        try SystemThread("output") { [self] in work() }.detach()
        isStarted = true
    }

    private func work() {
        while true {
            let next = lock.withLock {
                lock.wait(for: changed) { !waiting.isEmpty }
                return waiting.removeFirst()
            }
            write(next)
            lock.withLock { byteCount -= next.count }
        }
    }
}
