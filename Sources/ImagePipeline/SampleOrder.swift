import Synchronization
import TensorCore

/// The order in which an epoch sees the images: a permutation that is a function of (seed, epoch, count) alone.
package final class SampleOrder: Sendable {
    package let seed: UInt64
    package let count: Int
    private let last = Mutex<(epoch: Int, order: [Int])?>(nil)

    package init(seed: UInt64, count: Int) {
        self.seed = seed
        self.count = count
    }

    /// The images of an epoch in order; the last one asked for is kept. Safe to call from several threads.
    package func permutation(epoch: Int) -> [Int] {
        last.withLock { last in
            if let last, last.epoch == epoch { return last.order }
            let order = shuffled(epoch: epoch)
            last = (epoch, order)
            return order
        }
    }

    /// Fisher and Yates's shuffle.
    private func shuffled(epoch: Int) -> [Int] {
        var generator = KeyedGenerator(seed, UInt64(epoch), Self.key)
        var order = Array(0..<count)
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, generator.integer(below: i + 1)) }
        return order
    }

    /// Sets the order apart from every other use of the run's seed.
    private static let key: UInt64 = 0x6F72_6465_72
}
