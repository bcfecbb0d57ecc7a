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
    /// Buffers of these sizes lie side by side in blocks of huge pages.
    private static let sharing = 32 << 10..<hugePage
    private static let blockSize = 32 << 20

    private struct State: ~Copyable {
        var free: [Int: [UInt]] = [:]
        /// What is left of the last block.
        var rest = UnsafeMutableRawBufferPointer(start: nil, count: 0)
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

    public func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let size = Self.sizeClass(byteCount)
        return state.withLock { state in
            state.statistics.bytesInUse += size
            state.statistics.peakBytesInUse = max(state.statistics.peakBytesInUse, state.statistics.bytesInUse)
            if let address = state.free[size]?.popLast() { return UnsafeMutableRawPointer(bitPattern: address)! }
            state.statistics.systemAllocations += 1
            state.statistics.bytesHeld += size
            guard Self.sharing.contains(size) else { return Self.new(size, held: state.statistics.bytesHeld) }
            if state.rest.count < size {
                // Where the system has no room for a block it may have some for a buffer.
                guard let block = Self.find(Self.blockSize) else {
                    return Self.new(size, held: state.statistics.bytesHeld)
                }
                state.rest = UnsafeMutableRawBufferPointer(start: block, count: Self.blockSize)
            }
            defer { state.rest = UnsafeMutableRawBufferPointer(rebasing: state.rest[size...]) }
            return state.rest.baseAddress!
        }
    }

    private static func new(_ size: Int, held: Int) -> UnsafeMutableRawPointer {
        guard let pointer = find(size) else {
            fatalError(
                "out of memory: \(size) bytes asked for, \(held) held; "
                    + "use a smaller batch (batch.microBatch), smaller images or fewer ranks on this host")
        }
        return pointer
    }

    /// Memory of the system's; nil where it has none.
    private static func find(_ size: Int) -> UnsafeMutableRawPointer? {
        let isLarge = size >= hugePage
        let pointer = aligned_alloc(isLarge ? hugePage : alignment, size)
        // Advice: a kernel without huge pages ignores it.
        if isLarge, let pointer { madvise(pointer, size, MADV_HUGEPAGE) }
        return pointer
    }

    public func release(_ pointer: UnsafeMutableRawPointer, _ byteCount: Int) {
        let size = Self.sizeClass(byteCount)
        let address = UInt(bitPattern: pointer)
        state.withLock { state in
            state.statistics.bytesInUse -= size
            state.free[size, default: []].append(address)
        }
    }
}
