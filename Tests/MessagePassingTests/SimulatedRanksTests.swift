import MessagePassing
import TestSupport
import Testing
import Threads

/// The double keeps the promises of a `Collective`, and tells when its users do not.
@Suite struct SimulatedRanksTests {
    @Test(arguments: 1...8) func collectivesWork(count: Int) throws {
        for seed in 0..<4 {
            try SimulatedRanks(count, seed: UInt64(seed)).run { world in
                let rank = world.rank, all = 0..<count
                #expect(try world.sum([Double(rank), 1]) == [Double(count * (count - 1) / 2), Double(count)])
                #expect(try world.minimum([Int64(rank)]) == [0])
                #expect(try world.maximum([Float(rank)]) == [Float(count - 1)])
                #expect(try world.broadcast("from \(rank)", from: count - 1) == "from \(count - 1)")
                #expect(try world.allGather([Int](0..<rank)) == all.map { [Int](0..<$0) })
                #expect(try world.gather([rank], to: 0) == (rank == 0 ? all.map { [$0] } : []))
                let sent = all.map { UInt8(10 * rank + $0) }
                var received = sent
                try sent.withUnsafeBytes { sent in
                    try received.withUnsafeMutableBytes { try world.exchangeParts(sent, into: $0) }
                }
                #expect(received == all.map { UInt8(10 * $0 + rank) })
                try [UInt8(rank)].withUnsafeBytes { part in
                    try received.withUnsafeMutableBytes { try world.gatherParts(part, into: $0) }
                }
                #expect(received == all.map { UInt8($0) })
                try world.barrier("having a rest")
            }
        }
    }

    @Test func groupsSplitAndDuplicate() throws {
        try SimulatedRanks(5, seed: 1).run { world in
            let rank = world.rank
            let half = try #require(try world.split(color: rank % 2, name: "half"))
            #expect(half.size == (rank % 2 == 0 ? 3 : 2) && half.rank == rank / 2)
            #expect(try half.sum([Int64(rank)]) == [rank % 2 == 0 ? 6 : 4])
            let copy = try half.duplicated(name: "copy")
            #expect(copy.name == "copy" && copy.rank == half.rank)
            #expect(try copy.maximum([Int64(rank)]) == [rank % 2 == 0 ? 4 : 3])
            try half.free()
            let first = try world.split(color: rank == 0 ? 0 : nil, name: "first")
            #expect((first == nil) == (rank != 0))
            #expect(Set(try world.allGather(world.hostName)).count == 5)
        }
    }

    /// A thread of each rank sums on a group of its own while the rank waits for it, or for the others.
    private func traceOfTwoThreads(seed: UInt64) throws -> [String] {
        let ranks = SimulatedRanks(3, seed: seed)
        try ranks.run { world in
            let side = try world.duplicated(name: "side")
            let lock = Monitor(), changed = Monitor.Condition()
            var results: [Double] = []
            let thread = try SystemThread("side") {
                for _ in 0..<5 {
                    let sums = Result { try side.sum([1.0]) }
                    lock.withLock {
                        results.append(contentsOf: (try? sums.get()) ?? [])
                        changed.wakeAll()
                    }
                }
            }
            lock.withLock { lock.wait(for: changed) { results.count >= 2 } }
            for _ in 0..<5 { #expect(try world.sum([2.0]) == [6]) }
            lock.withLock { lock.wait(for: changed) { results.count == 5 } }
            thread.join()
            #expect(results == [3, 3, 3, 3, 3])
        }
        return ranks.trace
    }

    @Test(.disabled(if: SimulatedRanks.areFree, "a free schedule is not reproduced"))
    func aSeedReproducesItsSchedule() throws {
        let traces = try (0..<10).map { try traceOfTwoThreads(seed: $0) }
        for (seed, trace) in traces.enumerated() { #expect(try traceOfTwoThreads(seed: UInt64(seed)) == trace) }
        #expect(Set(traces).count == 10)
        let places = traces[0].joined(separator: "\n")
        #expect(places.contains("rank 2 side: side #5 sum of 1 Double"), "\(places)")
        #expect(places.contains("rank 1 rank 1: what another thread of its rank does"), "\(places)")
    }

    @Test func anotherCollectiveIsAnErrorThatNamesBoth() throws {
        let outcomes = try SimulatedRanks(3).outcomes { world in
            _ = try world.serving("counting") {
                world.rank == 2 ? try world.sum([1.0, 2.0]) : try world.sum([1.0])
            }
        }
        for outcome in outcomes {
            let error = #expect(throws: CollectiveMismatch.self) { try outcome.get() }
            let text = error?.description ?? ""
            #expect(text.contains("rank 2 in world #1 sum of 2 Double, counting"), "\(text)")
            #expect(text.contains(" in world #1 sum of 1 Double, counting"), "\(text)")
        }
    }

    @Test(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for ever"))
    func anErrorOnOneRankIsThrownThereOnly() throws {
        let ranks = SimulatedRanks(2)
        ranks.fail(1, atOperation: 2, "the cable was cut")
        let outcomes = try ranks.outcomes { world in
            for _ in 0..<3 { _ = try world.sum([1.0]) }
        }
        let error = #expect(throws: SimulatedFailure.self) { try outcomes[1].get() }
        #expect(error?.description == "world #2 sum of 1 Double: the cable was cut")
        #expect(throws: SimulatedDeadlock.self) { try outcomes[0].get() }
    }
}

@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for ever"))
struct SimulatedFaultTests {
    @Test func aKilledRankLeavesTheOthersWaiting() throws {
        let ranks = SimulatedRanks(3, seed: 5)
        ranks.kill(1, atOperation: 3)
        let outcomes = try ranks.outcomes { world in
            var sums = 0.0
            for _ in 0..<4 { sums += try world.serving("step") { try world.sum([1.0])[0] } }
            return sums
        }
        #expect(throws: RankKilled(rank: 1)) { try outcomes[1].get() }
        for rank in [0, 2] {
            let error = #expect(throws: SimulatedDeadlock.self) { try outcomes[rank].get() }
            let text = error?.description ?? ""
            for rank in [0, 2] {
                #expect(text.contains("rank \(rank) (rank \(rank)) waits in world #3 sum of 1 Double, step"), "\(text)")
            }
            #expect(text.hasSuffix("rank 1 was killed"))
        }
    }

    @Test func ranksThatWaitForEachOtherAreNamed() throws {
        let ranks = SimulatedRanks(2)
        let outcomes = try ranks.outcomes { world in
            let first = try world.duplicated(name: "first"), second = try world.duplicated(name: "second")
            for group in world.isRoot ? [first, second] : [second, first] { try group.barrier("lunch") }
        }
        let error = #expect(throws: SimulatedDeadlock.self) { try outcomes[0].get() }
        #expect(error?.description.contains("rank 0 (rank 0) waits in first #1 barrier, lunch") == true)
        #expect(error?.description.contains("rank 1 (rank 1) waits in second #1 barrier, lunch") == true)
    }

    @Test func timePassesWhereAllWait() throws {
        let ranks = SimulatedRanks(2)
        ranks.delay(1, seconds: 10)
        let clock = ranks.clock
        let seconds = try ranks.run { world in
            if world.isRoot { clock.pause(seconds: 3) }
            let before = clock.monotonic
            _ = try world.sum([1.0])
            return [before, clock.monotonic]
        }
        #expect(seconds == [[3, 10], [0, 10]])
    }
}
