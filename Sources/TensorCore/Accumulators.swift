/// A row of double-precision sums in pooled memory, zero at first: batch statistics on their way over the ranks.
public final class Accumulators {
    public let count: Int
    private let base: UnsafeMutablePointer<Double>

    public init(_ count: Int) {
        self.count = count
        base = MemoryPool.shared.allocate(count * MemoryLayout<Double>.stride)
            .bindMemory(to: Double.self, capacity: count)
        base.update(repeating: 0, count: count)
    }

    deinit { MemoryPool.shared.release(base, count * MemoryLayout<Double>.stride) }

    /// Valid while the object lives.
    public var values: UnsafeMutableBufferPointer<Double> { .init(start: base, count: count) }

    public subscript(index: Int) -> Double {
        get { values[index] }
        set { values[index] = newValue }
    }
}
