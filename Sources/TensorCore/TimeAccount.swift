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

/// How long one thread spends on each part of a run, all the time: a few clock readings a sum or part.
///
/// A part within another counts for itself alone, so that parts add up.
public final class TimeAccount: Sendable {
    public static let shared = TimeAccount()

    /// Nanoseconds by part.
    private struct State {
        var owner: pthread_t?
        var start: Int64 = 0
        /// Up to when time is counted.
        var last: Int64 = 0
        var spent: [StepPart: Int64] = [:]
        /// Parts that have begun; the last counts.
        var open: [StepPart] = []

        /// Whether the calling thread's time is.
        var isCounted: Bool { owner.map { pthread_equal($0, pthread_self()) != 0 } ?? false }

        mutating func count() {
            let now = Trace.now
            if let part = open.last { spent[part, default: 0] += now - last }
            last = now
        }
    }

    private let state = Mutex(State())

    public init() {}

    /// Counts the calling thread's time from now on, from zero.
    public func start() {
        let now = Trace.now
        state.withLock { $0 = State(owner: pthread_self(), start: now, last: now) }
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
            guard state.isCounted, state.open.last?.isWhole != true else { return false }
            state.count()
            state.open.append(part)
            return true
        }
    }

    @usableFromInline
    func end() {
        state.withLock { state in
            state.count()
            // `start` may have been called within.
            _ = state.open.popLast()
        }
    }

    /// Ends the parts that have begun, for one of several bodies that take turns on the counted thread; `goOn` begins them
    /// again.
    public func pause() -> [StepPart] {
        state.withLock { state in
            guard state.isCounted else { return [] }
            state.count()
            defer { state.open = [] }
            return state.open
        }
    }

    /// Goes on with the parts that a `pause` has ended.
    public func goOn(_ parts: [StepPart]) {
        state.withLock { state in
            guard state.isCounted else { return }
            state.count()
            state.open = parts
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
