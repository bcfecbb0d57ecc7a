import Glibc
import Synchronization

/// Recycles aligned buffers, so that a training step allocates nothing once the first has run.
///
/// A freed buffer goes to the free list of its size class and is handed out again to the next request of that class.
/// Size classes lie at most 1/8 apart.
public final class MemoryPool: Sendable {
    public static let shared = MemoryPool()

    /// What the pool holds, in bytes, and how often it had to ask the system.
    public struct Statistics: Sendable {
        public var bytesInUse = 0
        public var bytesHeld = 0
        public var peakBytesInUse = 0
        public var systemAllocations = 0
    }

    static let alignment = 64
    /// What x86-64 and ARM look up at once where the kernel allows it; a look-up for each 4 KiB of a map shows.
    private static let hugePage = 2 << 20

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        var statistics = Statistics()
    }

    private let state = Mutex(State())

    public init() {}

    public var statistics: Statistics { state.withLock { $0.statistics } }

    /// Bytes that a request of `byteCount` really takes: the next of eight steps between two powers of two.
    static func sizeClass(_ byteCount: Int) -> Int {
        let minimum = max(byteCount, alignment)
        let power = Int.bitWidth - 1 - minimum.leadingZeroBitCount
        let step = max(alignment, (1 << power) >> 3)
        return (minimum + step - 1) / step * step
    }

    package func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let size = Self.sizeClass(byteCount)
        let recycled = state.withLock { state -> UInt? in
            state.statistics.bytesInUse += size
            state.statistics.peakBytesInUse = max(state.statistics.peakBytesInUse, state.statistics.bytesInUse)
            if let address = state.free[size]?.popLast() { return address }
            state.statistics.systemAllocations += 1
            state.statistics.bytesHeld += size
            return nil
        }
        if let recycled { return UnsafeMutableRawPointer(bitPattern: recycled)! }
        let isLarge = size >= Self.hugePage
        guard let pointer = aligned_alloc(isLarge ? Self.hugePage : Self.alignment, size) else {
            fatalError(
                "out of memory: \(size) bytes asked for, \(statistics.bytesHeld) held; "
                    + "use a smaller batch (batch.microBatch), smaller images or fewer ranks on this host")
        }
        // Advice: a kernel without huge pages ignores it.
        if isLarge { madvise(pointer, size, MADV_HUGEPAGE) }
        return pointer
    }

    package func release(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        let size = Self.sizeClass(byteCount)
        let address = UInt(bitPattern: pointer)
        state.withLock { state in
            state.statistics.bytesInUse -= size
            state.free[size, default: []].append(address)
        }
    }

    /// Gives every free buffer back to the system, for example between training and evaluation.
    public func trim() {
        let idle = state.withLock { state -> [Int: [UInt]] in
            defer { state.free = [:] }
            state.statistics.bytesHeld -= state.free.reduce(0) { $0 + $1.key * $1.value.count }
            return state.free
        }
        for addresses in idle.values {
            for address in addresses { free(UnsafeMutableRawPointer(bitPattern: address)) }
        }
    }
}
