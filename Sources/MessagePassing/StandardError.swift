import Glibc

/// What this process says to people.
///
/// A pipe whose reader has gone, and a pager or terminal that reads no further, neither end nor delay it: text waits for a
/// thread of its own, and what nobody reads is lost here only.
package enum StandardError {
    /// Has writing to a pipe without a reader fail rather than end the process; first of all in a program. What `print`
    /// cannot write is then lost without a word, and a command whose reader left early ends as if it had been read.
    package static func outliveReaders() { signal(SIGPIPE, SIG_IGN) }

    /// Hands in text, which is written as it is, in one piece and in order. False where too much waits already: then it is
    /// dropped.
    package static func write(_ text: String) -> Bool { queue.add(text) }

    /// Waits until all is written, or `seconds` have passed without an end of it.
    package static func finish(seconds: Double = 1) { queue.finish(seconds: seconds) }

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
