import Files
import MessagePassing
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Threads
import Training

/// Jobs that want one run directory, on a file system with locks and on one without: they begin in any order, stand still,
/// die, and lose power, on virtual time.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for the dead for ever"))
struct SimulatedLockTests {
    private static let run: FilePath = "/runs/night"

    private static func files(hasLocks: Bool) -> SimulatedFiles {
        let files = SimulatedFiles(directory: run)
        files.hasLocks = hasLocks
        return files
    }

    /// The lock, or nil where another job trains.
    private static func lock(_ world: SimulatedCollective, _ files: SimulatedFiles) throws -> RunLock? {
        do {
            return try RunLock(directory: run, host: "node\(world.rank)", files: files, clock: world.ranks.clock)
        } catch let error as TrainingError {
            #expect("\(error)".contains("another job trains in \(run) ("), "\(error)")
            return nil
        }
    }

    /// Four jobs begin at once, or within twenty seconds, in a new directory or in one whose owner died: of each whether the
    /// directory is its own, some beats after the last has tried; nil for those that were refused.
    private static func race(
        _ seed: UInt64, _ files: SimulatedFiles, afterADeath: Bool, atOnce: Bool,
        lock: @escaping @Sendable (SimulatedCollective) throws -> RunLock?
    ) throws -> [Bool?] {
        let ranks = SimulatedRanks(4, seed: seed)
        if afterADeath {
            let dead = try files.create(run.appending("owner"))
            try dead.append(Array("host node9, process 1, since then, abc, heartbeat 7\n".utf8))
        }
        files.ranks = ranks
        return try ranks.run { world -> Bool? in
            var generator = KeyedGenerator(seed, UInt64(world.rank))
            world.ranks.clock.pause(seconds: atOnce ? 0 : generator.uniform(0, 20))
            let lock = try lock(world)
            try world.barrier("all have tried")
            world.ranks.clock.pause(seconds: 30)
            let isInPlace = try lock?.isInPlace
            try world.barrier("all have looked")
            return withExtendedLifetime(lock) { isInPlace }
        }
    }

    @Test(arguments: [false, true], [false, true])
    func oneOfManyTrains(hasLocks: Bool, afterADeath: Bool) throws {
        for seed in 0..<40 as Range<UInt64> {
            let files = Self.files(hasLocks: hasLocks)
            let areInPlace = try Self.race(seed, files, afterADeath: afterADeath, atOnce: seed % 2 == 0) {
                try Self.lock($0, files)
            }
            #expect(areInPlace.compactMap { $0 } == [true], "seed \(seed): \(areInPlace)")
        }
    }

    /// Where half of the hosts' mounts grant no locks: whatever the order, two never train, and mostly one does.
    @Test(arguments: [false, true]) func hostsWithAndWithoutLocksNeverTrainTogether(afterADeath: Bool) throws {
        var trained = 0
        for seed in 0..<60 as Range<UInt64> {
            let files = Self.files(hasLocks: true)
            files.ranksWithoutLocks = [1, 3]
            let areInPlace = try Self.race(seed, files, afterADeath: afterADeath, atOnce: seed % 3 == 0) { world in
                do {
                    return try RunLock(
                        directory: Self.run, host: "node\(world.rank)", files: files, clock: world.ranks.clock)
                } catch is TrainingError { return nil }
            }
            let owners = areInPlace.count { $0 != nil }
            #expect(owners <= 1 && !areInPlace.contains(false), "seed \(seed): \(areInPlace)")
            trained += owners
        }
        #expect(trained > 30, "of 60")
    }

    /// One that has locks comes to a run that has none, and dies while it looks: the run can go on after its own end.
    @Test func whoDiesWhileItLooksLeavesNoMark() throws {
        for operation in 1...30 {
            let files = Self.files(hasLocks: true), ranks = SimulatedRanks(2, seed: UInt64(operation))
            files.ranksWithoutLocks = [0]
            files.ranks = ranks
            ranks.kill(1, atOperation: operation)
            _ = try ranks.outcomes { world in
                let first = world.rank == 0 ? try Self.lock(world, files) : nil
                world.ranks.clock.pause(seconds: 10)
                if world.rank == 1 { _ = try Self.lock(world, files) }
                world.ranks.clock.pause(seconds: 30)
                withExtendedLifetime(first) {}
            }
            let next = SimulatedRanks(1)
            files.ranks = next
            let isInPlace = try next.run { try Self.lock($0, files)?.isInPlace == true }
            #expect(isInPlace == [true], "died at its operation \(operation)")
        }
    }

    @Test(arguments: [false, true]) func whoLetsGoIsFollowed(hasLocks: Bool) throws {
        let files = Self.files(hasLocks: hasLocks), ranks = SimulatedRanks(2)
        files.ranks = ranks
        let haveLocked = try ranks.run { world -> Bool in
            if world.rank == 1 { try world.barrier("the first has let go") }
            var lock = try Self.lock(world, files)
            let isInPlace = try lock?.isInPlace == true
            lock = nil
            if world.rank == 0 { try world.barrier("the first has let go") }
            return isInPlace
        }
        #expect(haveLocked == [true, true])
    }

    @Test func theHolderIsNamedToOthers() throws {
        let files = Self.files(hasLocks: true)
        #expect(RunLock.holder(of: Self.run, files: files) == nil)
        var lock: RunLock? = try RunLock(directory: Self.run, host: "node7", files: files)
        #expect(RunLock.holder(of: Self.run, files: files)?.hasPrefix("host node7, process ") == true)
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(RunLock.holder(of: Self.run, files: files) == nil)
    }

    /// A host whose mount grants no locks cannot see whether one that has locks still trains there.
    @Test func aHostWithoutLocksDoesNotJoinOneWithLocks() throws {
        let files = Self.files(hasLocks: true)
        var first: RunLock? = try RunLock(directory: Self.run, host: "node7", files: files)
        files.hasLocks = false
        let refused = #expect(throws: TrainingError.self) {
            try RunLock(directory: Self.run, host: "node8", patience: 0, secondsBetweenBeats: 0.01, files: files)
        }
        #expect(
            refused.map { "\($0)".contains("was locked by host node7, ") } == true, "\(String(describing: refused))")
        #expect(try first?.isInPlace == true)
        // Who lets go leaves no mark.
        first = nil
        #expect(try RunLock(directory: Self.run, host: "node8", secondsBetweenBeats: 0.01, files: files).isInPlace)
    }

    /// A job that dies while it trains, with or without the machine: the next one trains.
    @Test(arguments: [false, true], [false, true]) func theDeadAreFollowed(hasLocks: Bool, losesPower: Bool) throws {
        for seed in 0..<24 as Range<UInt64> {
            let files = Self.files(hasLocks: hasLocks), ranks = SimulatedRanks(1, seed: seed)
            // Anywhere from its first look on.
            ranks.kill(0, atOperation: 1 + Int(seed))
            files.ranks = ranks
            _ = try ranks.outcomes { world in
                let lock = try Self.lock(world, files)
                for _ in 0..<20 where try lock?.isInPlace == true { world.ranks.clock.pause(seconds: 5) }
            }
            files.ranks = nil
            var generator = KeyedGenerator(seed, 3)
            if losesPower { files.losePower(&generator) }
            let next = SimulatedRanks(1, seed: seed)
            files.ranks = next
            #expect(try next.run { try Self.lock($0, files)?.isInPlace }[0] == true, "died at operation \(1 + seed)")
        }
    }

    /// One that stood still for so long that another took over learns of it before it saves.
    @Test func whoStoodStillHasLostTheDirectory() throws {
        let files = Self.files(hasLocks: false), ranks = SimulatedRanks(2)
        files.ranks = ranks
        let areInPlace = try ranks.run { world -> Bool? in
            let first = world.rank == 0 ? try Self.lock(world, files) : nil
            if world.rank == 0 { world.ranks.delay(0, seconds: 100) }
            try world.barrier("the first trains")
            let second = world.rank == 1 ? try Self.lock(world, files) : nil
            try world.barrier("the second trains")
            return try (first ?? second)?.isInPlace
        }
        #expect(areInPlace == [false, true])
    }
}
