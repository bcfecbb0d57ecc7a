import Foundation
import MessagePassing
import Synchronization
import Testing

@Suite struct OutputQueueTests {
    /// A reader that reads nothing until it is let go.
    private final class Reader: Sendable {
        let texts = Mutex<[String]>([])
        private let gate = DispatchSemaphore(value: 0)

        func read(_ bytes: [UInt8]) {
            gate.wait()
            gate.signal()
            texts.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) }
        }

        func letGo() { gate.signal() }
    }

    @Test func nobodyWaitsForAReaderThatDoesNotRead() {
        let reader = Reader()
        let queue = OutputQueue(limit: 100) { reader.read($0) }
        let start = ContinuousClock.now
        let taken = (0..<30).map { queue.add("line \($0 + 10)\n") }
        // 8 bytes each: twelve fit, the one that is being written among them.
        #expect(taken == (0..<30).map { $0 < 12 })
        queue.add("an error\n", isUrgent: true)
        queue.finish(seconds: 0.05)
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(reader.texts.withLock { $0.isEmpty })
        reader.letGo()
        queue.finish(seconds: 10)
        #expect(reader.texts.withLock { $0 } == (0..<12).map { "line \($0 + 10)\n" } + ["an error\n"])
        #expect(queue.add("again\n"))
        queue.finish(seconds: 10)
        #expect(reader.texts.withLock { $0.last } == "again\n")
    }
}
