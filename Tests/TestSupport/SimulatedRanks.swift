import Foundation
package import Threads

/// Ranks in one process, without MPI: threads of which one runs at a time.
///
/// At every collective, message and file operation a seeded generator decides which rank goes on; a rank that waits for
/// a thread of its own lets others run too. Ranks can be delayed, killed and failed. Kernels run on the thread that
/// calls them: the pool of compute threads must be of one.
///
/// With `PIXPRO_FREE_RANKS` in the environment the ranks run freely instead, for `swift test --sanitize=thread`.
package final class SimulatedRanks: @unchecked Sendable {
    // @unchecked: what varies is only touched by the thread that has the baton, or in `turns.change`.
    package static let areFree = ProcessInfo.processInfo.environment["PIXPRO_FREE_RANKS"] != nil

    package let count: Int
    /// Ranks that follow each other share a host, so many each.
    package let ranksPerHost: Int
    let turns: any Turns
    private var killed: Set<Int> = []
    private var operations: [Int]
    private var kills: [Int: Int] = [:]
    private var failures: [Int: [Int: String]] = [:]
    private var delays: [Int: Double] = [:]

    package init(_ count: Int, perHost ranksPerHost: Int = 1, seed: UInt64 = 0) {
        (self.count, self.ranksPerHost) = (count, ranksPerHost)
        turns = Self.areFree ? FreeTurns() : Baton(seed: seed)
        operations = [Int](repeating: 0, count: count)
    }

    // MARK: What happens to ranks

    /// From now on nothing that the rank does has an effect: whatever it asks of others or of files throws.
    package func kill(_ rank: Int) { turns.change { _ = killed.insert(rank) } }

    /// Kills a rank at its n-th operation, from one.
    package func kill(_ rank: Int, atOperation operation: Int) { kills[rank] = operation }

    /// Makes a rank's n-th operation, from one, throw what MPI or a file might.
    package func fail(_ rank: Int, atOperation operation: Int, _ reason: String) {
        failures[rank, default: [:]][operation] = reason
    }

    /// Makes each operation of a rank take so many seconds of virtual time.
    package func delay(_ rank: Int, seconds: Double) { delays[rank] = seconds }

    package func isKilled(_ rank: Int) -> Bool { turns.change { killed.contains(rank) } }

    /// Who went on where, in order; empty when ranks run freely.
    package var trace: [String] { (turns as? Baton)?.trace ?? [] }

    /// Why nobody could go on, if it came to that.
    package var deadlock: SimulatedDeadlock? { turns.deadlock }

    /// The ranks' clock, whose time is virtual.
    package var clock: any TimeSource { SimulatedClock(turns: turns) }

    // MARK: Running

    /// What `body` returned on each rank, by rank; throws what the first rank that failed threw. Once.
    @discardableResult
    package func run<Value>(_ body: @escaping (SimulatedCollective) throws -> Value) throws -> [Value] {
        try outcomes(body).map { try $0.get() }
    }

    /// What `body` returned or threw on each rank, by rank. Once.
    package func outcomes<Value>(
        _ body: @escaping (SimulatedCollective) throws -> Value
    ) throws -> [Result<Value, any Error>] {
        let results = Results<Value>(count)
        let world = SimulatedGroup(size: count)
        let baton = turns as? Baton
        var threads: [SystemThread] = []
        for rank in 0..<count {
            baton?.rankOfNext = rank
            let communicator = SimulatedCollective(
                name: "world", rank: rank, group: world, worldRank: rank, ranks: self)
            threads.append(
                try SystemThread("rank \(rank)", under: baton) {
                    let result = Result { try body(communicator) }
                    self.turns.change { results.byRank[rank] = result }
                })
        }
        if let baton {
            baton.run()
            for thread in threads { thread.detach() }
        } else {
            for thread in threads { thread.join() }
        }
        return results.byRank.map { $0 ?? .failure(deadlock!) }
    }

    private final class Results<Value>: @unchecked Sendable {
        // @unchecked: only touched in `turns.change`, and when all have ended.
        var byRank: [Result<Value, any Error>?]
        init(_ count: Int) { byRank = .init(repeating: nil, count: count) }
    }

    // MARK: For the doubles

    /// Begins an operation of `rank`: others may go first, and what shall happen to the rank does. An operation of no
    /// rank, a test's own look at files, takes no turn.
    func begin(_ place: String, rank: Int?) throws {
        guard let rank else { return }
        let (number, delay) = turns.change {
            operations[rank] += 1
            if kills[rank] == operations[rank] { killed.insert(rank) }
            return (operations[rank], delays[rank])
        }
        try throwIfKilled(rank)
        if let reason = failures[rank]?[number] { throw SimulatedFailure(description: "\(place): \(reason)") }
        if let delay { turns.pause(seconds: delay) }
        turns.pass(at: place)
        try throwIfKilled(rank)
    }

    /// Waits for others; throws where they never come.
    func wait(_ place: String, rank: Int, until canGoOn: @escaping () -> Bool) throws {
        turns.wait(at: place) { [unowned self] in canGoOn() || killed.contains(rank) }
        try throwIfKilled(rank)
        if let deadlock, !turns.change(canGoOn) { throw deadlock.after(killed) }
    }

    private func throwIfKilled(_ rank: Int) throws { if isKilled(rank) { throw RankKilled(rank: rank) } }
}

/// What a killed rank's operations throw, so that its threads end; no other rank sees it.
package struct RankKilled: Error, Equatable {
    package let rank: Int

    package init(rank: Int) { self.rank = rank }
}

/// A failure that a test asked for.
package struct SimulatedFailure: Error, CustomStringConvertible { public let description: String }

/// Every rank that is left waits for another.
package struct SimulatedDeadlock: Error, CustomStringConvertible {
    /// Who waits in what, and what became of the others.
    let facts: [String]

    package var description: String { "nobody can go on: " + facts.joined(separator: "; ") }

    func after(_ killed: Set<Int>) -> SimulatedDeadlock {
        SimulatedDeadlock(facts: facts + killed.sorted().map { "rank \($0) was killed" })
    }
}

private struct SimulatedClock: TimeSource {
    let turns: any Turns

    var monotonic: Double { turns.seconds }
    var wall: Double { turns.seconds }
    func pause(seconds: Double) { turns.pause(seconds: seconds) }
}
