import Synchronization

/// An account of the bytes that operations read and write beyond the cache: each pass says what it moves where it is made.
///
/// Counted from shapes, so that it is the same on every machine. A pass over a tensor counts its bytes once, whatever its
/// size: nothing is taken to stay in cache from one pass to the next. What is worked off in chunks that stay in cache counts
/// as it comes in and as it leaves. Weights that are read again for each chunk count each time only where they are more
/// than `cacheShare`. A line that is fetched only to be overwritten counts as written alone.
///
/// Passes are counted on the thread that `watch` runs on; where nobody watches a pass costs one look at a variable.
public final class MemoryTraffic: Sendable {
    @TaskLocal public static var current: MemoryTraffic?

    /// Of the last-level cache, what a core of a full socket has: 2 to 5 MB on processors since 2021.
    public static let cacheShare = 4 << 20

    public struct Bytes: Sendable, Equatable {
        public var read = 0
        public var written = 0
        public var sum: Int { read + written }

        public init(read: Int = 0, written: Int = 0) { (self.read, self.written) = (read, written) }

        static func += (bytes: inout Bytes, more: Bytes) {
            bytes.read += more.read
            bytes.written += more.written
        }
    }

    /// Where in a step.
    public enum Stage: String, Sendable, CaseIterable {
        case loading
        case averaging
        /// Forward without a way back, as momentum networks run.
        case forwardAlone = "forward alone"
        case forward
        case backward
        case update
    }

    /// All that an operation did in one stage.
    public struct Row: Sendable, Equatable {
        public let stage: Stage
        public let operation: String
        /// How often it ran.
        public var count: Int
        public var bytes: Bytes

        public init(_ stage: Stage, _ operation: String, count: Int, _ bytes: Bytes) {
            (self.stage, self.operation, self.count, self.bytes) = (stage, operation, count, bytes)
        }
    }

    private struct State {
        /// Of passes whose operation has not ended.
        var open = Bytes()
        var rows: [Row] = []
    }

    private let state = Mutex(State())

    public init() {}

    public func watch<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Self.$current.withValue(self, operation: body)
    }

    /// By stage, those that moved most first.
    public var rows: [Row] {
        let stages = Stage.allCases
        return state.withLock { $0.rows }.sorted {
            $0.stage == $1.stage
                ? $0.bytes.sum > $1.bytes.sum
                : stages.firstIndex(of: $0.stage)! < stages.firstIndex(of: $1.stage)!
        }
    }

    /// Of all operations.
    public var total: Bytes { rows.reduce(into: Bytes()) { $0 += $1.bytes } }

    /// Says that a pass has moved so many bytes.
    public static func count(read: Int = 0, written: Int = 0) {
        current?.add(Bytes(read: read, written: written))
    }

    func add(_ bytes: Bytes) { state.withLock { $0.open += bytes } }

    /// Says that an operation has ended: the passes since the one before it are its own.
    public func end(_ operation: String, _ stage: Stage) {
        state.withLock { state in
            defer { state.open = Bytes() }
            if let known = state.rows.firstIndex(where: { $0.stage == stage && $0.operation == operation }) {
                state.rows[known].count += 1
                state.rows[known].bytes += state.open
            } else {
                state.rows.append(Row(stage, operation, count: 1, state.open))
            }
        }
    }
}
