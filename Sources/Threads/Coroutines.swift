import CCoroutines
import Glibc

/// Bodies that take turns on the calling thread: each runs until it has something to wait for, then the next does.
///
/// Turns go round in the order of the bodies, so that what they do to state that they share is in the same order every time.
package enum Coroutines {
    /// What a body knows of its turns.
    package struct Turn {
        fileprivate let coroutine: Coroutine
        /// Its place among the bodies.
        package let number: Int

        /// Lets the others run until it is this body's turn again.
        package func passOn() { ccoroutine_yield(coroutine.handle) }
    }

    /// Returns when all bodies have ended; throws the first error of any, and gives up the others where they are.
    package static func run(_ bodies: [(Turn) throws -> Void]) throws {
        var running = try bodies.enumerated().map { try Coroutine(number: $0, $1) }
        while !running.isEmpty {
            for coroutine in running {
                coroutine.resume()
                if let failure = coroutine.failure { throw failure }
            }
            running.removeAll(where: \.hasEnded)
        }
    }
}

/// The system has no memory for a stack.
package struct CoroutineError: Error, CustomStringConvertible {
    package let description: String

    init(code: Int32) {
        description =
            "no memory for the stack of a pass (\(String(cString: strerror(code)))); see `ulimit -v` and the limits of this "
            + "process' container, or set parallel.passes: inTurn"
    }
}

/// One body, on a stack of its own.
private final class Coroutine {
    /// As threads have it; what is not touched takes no memory.
    private static let stackBytes = 8 << 20

    // SAFETY: set once, in the initializer; the body is run through an unowned reference, as `Coroutines.run` holds the
    // coroutine for as long as it resumes it.
    private(set) var handle: OpaquePointer!
    private let number: Int
    /// Given up when it has ended: what it captured may hold this coroutine.
    private var body: ((Coroutines.Turn) throws -> Void)?
    private(set) var failure: (any Error)?
    private(set) var hasEnded = false

    init(number: Int, _ body: @escaping (Coroutines.Turn) throws -> Void) throws(CoroutineError) {
        (self.number, self.body) = (number, body)
        handle = ccoroutine_make(
            Self.stackBytes, { Unmanaged<Coroutine>.fromOpaque($0!).takeUnretainedValue().run() },
            Unmanaged.passUnretained(self).toOpaque())
        guard handle != nil else { throw CoroutineError(code: errno) }
    }

    private func run() {
        do { try body!(Coroutines.Turn(coroutine: self, number: number)) } catch { failure = error }
        body = nil
    }

    /// A stack that was given up before its end stays: messages may still be on their way into what lies on it.
    func resume() {
        hasEnded = ccoroutine_resume(handle) == 0
        if hasEnded { ccoroutine_free(handle) }
    }
}
