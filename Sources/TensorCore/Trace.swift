import Glibc
import Synchronization

/// What a process did when: named spans of time, recorded between `start` and `stop`. One load of a flag when off.
public final class Trace: Sendable {
    public static let shared = Trace()

    /// Who spends the time of a span; spans of one track are nested or follow each other.
    public enum Track: Int, Sendable, CaseIterable {
        case compute, communication
    }

    public struct Span: Sendable {
        public let name: String
        public let track: Track
        /// Of interleaved passes which one, from 1; 0 for what is none.
        public let pass: Int
        /// Nanoseconds since `start`.
        public let begin: Int64
        public let duration: Int64
    }

    private struct State {
        var origin: Int64 = 0
        var spans: [Span] = []
        var pass = 0
    }

    private let isOn = Atomic(false)
    private let state = Mutex(State())

    /// Begins to record, from time 0.
    public func start() {
        state.withLock { $0 = State(origin: Self.now) }
        isOn.store(true, ordering: .releasing)
    }

    /// Ends recording; spans that have not ended are dropped.
    public func stop() -> [Span] {
        isOn.store(false, ordering: .releasing)
        return state.withLock { state in
            defer { state.spans = [] }
            return state.spans
        }
    }

    /// Runs `body` as a span, if `condition` holds. The name is made only while recording.
    @inline(__always)
    public static func span<Result>(
        _ name: @autoclosure () -> String, _ track: Track = .compute, if condition: Bool = true,
        _ body: () throws -> Result
    ) rethrows -> Result {
        guard condition, shared.isOn.load(ordering: .relaxed) else { return try body() }
        let begin = now
        defer { shared.add(name(), track, begin, now) }
        return try body()
    }

    /// From now on spans of computing are of this pass, from 1; 0 for none.
    public static func beginPass(_ number: Int) {
        guard shared.isOn.load(ordering: .relaxed) else { return }
        shared.state.withLock { $0.pass = number }
    }

    /// Records a span that began at a moment of `now`, and ends with this call.
    public static func add(_ name: @autoclosure () -> String, _ track: Track, since begin: Int64) {
        guard shared.isOn.load(ordering: .relaxed) else { return }
        shared.add(name(), track, begin, now)
    }

    private func add(_ name: String, _ track: Track, _ begin: Int64, _ end: Int64) {
        guard isOn.load(ordering: .relaxed) else { return }
        state.withLock { state in
            state.spans.append(
                Span(
                    name: name, track: track, pass: track == .compute ? state.pass : 0, begin: begin - state.origin,
                    duration: end - begin))
        }
    }

    /// Nanoseconds of a clock that never goes back.
    public static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
