import Threads

/// Lets so many jobs of tests run at a time, in the order in which they came: one that wants all lanes is not starved.
final class TestLanes: @unchecked Sendable {
    // @unchecked: everything but constants is touched under `lock`.
    private let lock = Monitor()
    private let changed = Monitor.Condition()
    private let lanes: Int
    private var taken = 0
    private var nextTicket = 0, nextServed = 0

    init(_ lanes: Int) { self.lanes = lanes }

    /// Runs `body` on `count` lanes, when it is its turn.
    func take<Value>(_ count: Int, _ body: () throws -> Value) rethrows -> Value {
        precondition((1...lanes).contains(count), "\(count) of \(lanes) lanes")
        lock.withLock {
            let ticket = nextTicket
            nextTicket += 1
            lock.wait(for: changed) { nextServed == ticket && taken + count <= lanes }
            nextServed += 1
            taken += count
            changed.wakeAll()
        }
        defer {
            lock.withLock {
                taken -= count
                changed.wakeAll()
            }
        }
        return try body()
    }
}
