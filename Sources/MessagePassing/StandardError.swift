#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// What this process says to people.
///
/// A pipe whose reader has gone, and a pager or terminal that reads no further, neither end nor delay it: text waits for a
/// thread of its own, and what nobody reads is lost here only.
public enum StandardError {
    /// Has writing to a pipe without a reader fail rather than end the process; first of all in a program. What `print`
    /// cannot write is then lost without a word, and a command whose reader left early ends as if it had been read.
    public static func outliveReaders() { signal(SIGPIPE, SIG_IGN) }

    /// Hands in text, which is written as it is, in one piece and in order. False where too much waits already: then it is
    /// dropped.
    public static func write(_ text: String) -> Bool { queue.add(text) }

    /// Waits until all is written, or `seconds` have passed without an end of it.
    public static func finish(seconds: Double = 1) { queue.finish(seconds: seconds) }

    /// A last word, such as an error that ends the job: is taken however much waits, and has a second to be written.
    static func write(line: String) {
        queue.add(line + "\n", isUrgent: true)
        finish()
    }

    private static let queue: OutputQueue = {
        // However the program ends, by its last statement or by `exit`.
        atexit { StandardError.finish() }
        return OutputQueue { bytes in writeAll(bytes, to: STDERR_FILENO) }
    }()

    /// Gives up at an error: nothing can be told to anyone where standard error itself is broken.
    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Whoever shares the terminal or pipe may have made it non-blocking.
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&entry, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}

/// Text that a thread of its own writes, in order. Lives as long as the program: the thread waits for ever.
package final class OutputQueue: @unchecked Sendable {
    // @unchecked: what varies is only touched under `lock`.
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
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
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    /// False where the text does not fit beside what waits, and is dropped; `isUrgent` text always fits.
    @discardableResult
    package func add(_ text: String, isUrgent: Bool = false) -> Bool {
        let bytes = Array(text.utf8)
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        guard isUrgent || byteCount == 0 || byteCount + bytes.count <= limit else { return false }
        guard start() else {
            write(bytes)
            return true
        }
        waiting.append(bytes)
        byteCount += bytes.count
        pthread_cond_broadcast(changed)
        return true
    }

    /// Returns once all is written, at most after `seconds`.
    package func finish(seconds: Double) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !isEmpty && ContinuousClock.now < deadline { usleep(1_000) }
    }

    private var isEmpty: Bool {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return byteCount == 0
    }

    /// Whether there is a thread; a system that grants none has text written by who hands it in.
    private func start() -> Bool {
        guard !isStarted else { return true }
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<OutputQueue>.fromOpaque(argument!).takeRetainedValue().work()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard code == 0 else {
            Unmanaged.passUnretained(self).release()
            return false
        }
        pthread_detach(thread)
        isStarted = true
        return true
    }

    private func work() {
        while true {
            pthread_mutex_lock(lock)
            while waiting.isEmpty { pthread_cond_wait(changed, lock) }
            let next = waiting.removeFirst()
            pthread_mutex_unlock(lock)
            write(next)
            pthread_mutex_lock(lock)
            byteCount -= next.count
            pthread_mutex_unlock(lock)
        }
    }
}
