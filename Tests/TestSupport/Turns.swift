import Threads

/// How the threads of simulated ranks take turns.
protocol Turns: AnyObject, Sendable {
    /// Others may go first here.
    func pass(at place: String)
    /// Returns when `canGoOn` holds, or at the end of all hope: see `deadlock`.
    func wait(at place: String, until canGoOn: @escaping () -> Bool)
    /// Lets virtual time pass.
    func pause(seconds: Double)
    /// Changes what others wait for.
    func change<Value>(_ body: () throws -> Value) rethrows -> Value
    func coin() -> Bool

    var seconds: Double { get }
    /// That of the calling thread, where it is known.
    var rank: Int? { get }
    var deadlock: SimulatedDeadlock? { get }
}

/// All at once, as in a real job: what a sanitizer wants to see. Nothing is reproduced, and a deadlock hangs.
final class FreeTurns: Turns, @unchecked Sendable {
    // @unchecked: `time` is only touched under `lock`.
    private let lock = Monitor()
    private let changed = Monitor.Condition()
    private var time = 0.0

    func pass(at place: String) {}

    func wait(at place: String, until canGoOn: @escaping () -> Bool) {
        lock.withLock { lock.wait(for: changed, until: canGoOn) }
    }

    func pause(seconds: Double) { change { time += seconds } }

    func change<Value>(_ body: () throws -> Value) rethrows -> Value {
        try lock.withLock {
            defer { changed.wakeAll() }
            return try body()
        }
    }

    func coin() -> Bool { true }

    var seconds: Double { lock.withLock { time } }
    var rank: Int? { nil }
    var deadlock: SimulatedDeadlock? { nil }
}
