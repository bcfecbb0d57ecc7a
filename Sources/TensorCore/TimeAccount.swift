import Glibc
import Synchronization

/// What the time of a run is spent on, as far as its steps say.
public enum StepPart: String, Sendable, CaseIterable {
    /// Waiting for pictures.
    case data
    case forward
    case backward
    /// Sums of batch statistics over ranks.
    case statistics
    /// Sending gradients, or waiting until they are sent.
    case gradients
    case optimizer
    /// Moving what follows by averaging.
    case averaging
    case checkpoints
    case evaluation

    /// What happens within is part of it, whatever it is.
    fileprivate var isWhole: Bool { self == .checkpoints || self == .evaluation }
}

/// How long one thread spends on each part of a run, all the time: a few clock readings a step.
///
/// A part within another counts for itself alone, so that parts add up.
public final class TimeAccount: Sendable {
    public static let shared = TimeAccount()

    /// Nanoseconds by part.
    private struct State {
        var owner: pthread_t?
        var start: Int64 = 0
        var spent: [StepPart: Int64] = [:]
        /// Parts that have begun, and what was spent on parts within them.
        var open: [(part: StepPart, begin: Int64, within: Int64)] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Counts the calling thread's time from now on, from zero.
    public func start() {
        state.withLock { $0 = State(owner: pthread_self(), start: Trace.now) }
    }

    /// What was spent since `start`, in seconds: on each part, and in all.
    public var seconds: (parts: [StepPart: Double], total: Double) {
        state.withLock { state in
            (state.spent.mapValues { Double($0) / 1e9 }, state.owner == nil ? 0 : Double(Trace.now - state.start) / 1e9)
        }
    }

    /// Runs `body` as a part; on other threads than the counted one it counts nowhere.
    @inline(__always)
    public func part<Result>(_ part: StepPart, _ body: () throws -> Result) rethrows -> Result {
        let isCounted = begin(part)
        defer { if isCounted { end() } }
        return try body()
    }

    @usableFromInline
    func begin(_ part: StepPart) -> Bool {
        state.withLock { state in
            guard let owner = state.owner, pthread_equal(owner, pthread_self()) != 0,
                state.open.last?.part.isWhole != true
            else { return false }
            state.open.append((part, Trace.now, 0))
            return true
        }
    }

    @usableFromInline
    func end() {
        state.withLock { state in
            // `start` may have been called within.
            guard let (part, begin, within) = state.open.popLast() else { return }
            let elapsed = Trace.now - begin
            state.spent[part, default: 0] += elapsed - within
            if let outer = state.open.indices.last { state.open[outer].within += elapsed }
        }
    }
}

extension Trace {
    /// Runs `body` as a span, and counts its time for a part of the run.
    @inline(__always)
    public static func span<Result>(
        _ name: @autoclosure () -> String, counts part: StepPart, _ track: Track = .compute, _ body: () throws -> Result
    ) rethrows -> Result {
        try TimeAccount.shared.part(part) { try span(name(), track, body) }
    }
}
