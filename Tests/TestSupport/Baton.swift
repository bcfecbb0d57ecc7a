import Dispatch
import TensorCore
import Threads

/// Lets one thread of a simulation run at a time: whoever holds the baton hands it to one of those that could go on,
/// chosen by the seed, wherever ranks might overtake each other.
///
/// Time is virtual: it passes when all wait. A seed reproduces the schedule, as long as the threads read nothing else
/// that differs from run to run.
final class Baton: Turns, ThreadSchedule, @unchecked Sendable {
    // @unchecked: only the thread that has the baton touches what follows; handing it over orders their accesses.
    private final class Runner {
        let rank: Int
        let name: String
        let turn = DispatchSemaphore(value: 0)
        /// Where it is, in words.
        var place = "its start"
        var canGoOn: () -> Bool = { true }
        /// When it wakes by itself.
        var wakes: Double?

        init(rank: Int, name: String) { (self.rank, self.name) = (rank, name) }
    }

    /// In the order in which they were started.
    private var runners: [Runner] = []
    private var holder: Runner?
    private var generator: KeyedGenerator
    /// What was woken since its runners began to wait.
    private var sleepers: [ObjectIdentifier: [Runner]] = [:]
    private let allHaveEnded = DispatchSemaphore(value: 0)

    private(set) var seconds = 0.0
    private(set) var trace: [String] = []
    private(set) var deadlock: SimulatedDeadlock?
    /// The rank of the next thread that is added while nobody runs.
    var rankOfNext = 0

    init(seed: UInt64) { generator = KeyedGenerator(seed, 0x6261_746f) }

    // MARK: Turns

    func pass(at place: String) { wait(at: place) { true } }

    func wait(at place: String, until canGoOn: @escaping () -> Bool) {
        guard let runner = holder else { return }
        runner.place = place
        runner.canGoOn = { [unowned self] in deadlock != nil || canGoOn() }
        handOn()
        runner.turn.wait()
    }

    func pause(seconds duration: Double) {
        guard let runner = holder else { return }
        let end = seconds + duration
        runner.wakes = end
        wait(at: "a pause of \(duration) s") { [unowned self] in seconds >= end }
        runner.wakes = nil
    }

    func change<Value>(_ body: () throws -> Value) rethrows -> Value { try body() }

    func coin() -> Bool { generator.integer(below: 2) == 1 }

    var rank: Int? { holder?.rank }

    /// Starts those that were added, and returns when all threads have ended, or can never end.
    func run() {
        handOn()
        allHaveEnded.wait()
    }

    // MARK: Threads

    func add(name: String) -> AnyObject {
        let runner = Runner(rank: holder?.rank ?? rankOfNext, name: name)
        runners.append(runner)
        return runner
    }

    func begin(_ thread: AnyObject) { (thread as! Runner).turn.wait() }

    func end(_ thread: AnyObject) {
        runners.removeAll { $0 === thread }
        wake(thread, all: true)
        if holder === thread { handOn() }
    }

    func wait(for condition: AnyObject) {
        guard let runner = holder else { return }
        let key = ObjectIdentifier(condition)
        sleepers[key, default: []].append(runner)
        runner.place = "what another thread of its rank does"
        runner.canGoOn = { [unowned self] in sleepers[key]?.contains { $0 === runner } != true }
        handOn()
        runner.turn.wait()
    }

    func wake(_ condition: AnyObject, all: Bool) {
        let key = ObjectIdentifier(condition)
        if all { sleepers[key] = nil } else if sleepers[key]?.isEmpty == false { sleepers[key]!.removeFirst() }
    }

    // MARK: Choice

    private func handOn() {
        holder = next()
        if let holder {
            trace.append("rank \(holder.rank) \(holder.name): \(holder.place)")
            holder.turn.signal()
        } else {
            allHaveEnded.signal()
        }
    }

    /// One that can go on; after a deadlock those that wait for others can, to hear of it.
    private func next() -> Runner? {
        while !runners.isEmpty {
            let ready = runners.filter { $0.canGoOn() }
            if !ready.isEmpty { return ready[generator.integer(below: ready.count)] }
            if let earliest = runners.compactMap(\.wakes).min() {
                seconds = max(seconds, earliest)
            } else if deadlock == nil {
                deadlock = SimulatedDeadlock(
                    facts: runners.map { "rank \($0.rank) (\($0.name)) waits in \($0.place)" })
            } else {
                return nil
            }
        }
        return nil
    }
}
