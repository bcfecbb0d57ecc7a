import Checkpointing
import MessagePassing
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Savers and readers on simulated ranks and files: ranks die at every point, and the power goes.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for the dead for ever"))
struct SimulatedSaveTests {
    private static let run: FilePath = "/runs/night"

    private static func save(
        _ steps: [Int], _ world: SimulatedCollective, _ files: SimulatedFiles, keep: Int = 2,
        observer: @escaping SaveObserver = { _, _ in }
    ) throws -> [String] {
        let saver = try CheckpointSaver(
            runDirectory: run, communicator: world, keep: keep, files: files, clock: world.ranks.clock,
            observer: observer)
        return try steps.compactMap { step in
            saver.beginSave(
                SimulatedState.tensors(step: step).map { SavedTensor($0) }, facts: SimulatedState.facts(step: step))
            guard case .failed(let text) = try saver.finishSave()! else { return nil }
            return text
        }
    }

    /// The step of the newest checkpoint that loads, with the right contents on every rank; nil where there is none.
    private static func load(_ files: SimulatedFiles, ranks count: Int, seed: UInt64 = 0) throws -> Int? {
        let ranks = SimulatedRanks(count, seed: seed)
        files.ranks = ranks
        defer { files.ranks = nil }
        return try ranks.run { world -> Int? in
            guard
                let reader = try CheckpointReader.openNewest(
                    runDirectory: run, communicator: world, files: files, clock: ranks.clock, report: { _ in })
            else { return nil }
            #expect(try SimulatedState.differences(reader) == [])
            return reader.manifest.facts.step
        }[0]
    }

    @Test(arguments: 1...8) func savedByAnyLoadedByAny(count: Int) throws {
        let files = SimulatedFiles(directory: Self.run)
        let ranks = SimulatedRanks(count, seed: 3)
        files.ranks = ranks
        #expect(try ranks.run { try Self.save([10, 20, 30], $0, files) }.flatMap { $0 }.isEmpty)
        for readers in 1...4 { #expect(try Self.load(files, ranks: readers) == 30) }
        #expect(try CheckpointCatalog.list(runDirectory: Self.run, files: files).map(\.step) == [30, 20])
        let newest = CheckpointCatalog.directory(runDirectory: Self.run, step: 30)
        try files.damage(newest.appending("shard-00001-of-0000\(count).safetensors")) { $0[$0.count / 2] ^= 1 }
        #expect(try Self.load(files, ranks: 2) == 20)
        try files.damage(
            CheckpointCatalog.directory(runDirectory: Self.run, step: 20).appending("manifest.json")
        ) { $0.removeLast(9) }
        #expect(throws: AgreedError.self) { try Self.load(files, ranks: 2) }
    }

    /// Like any other that is older than those that are kept; a folder of another's is left alone.
    @Test func aDamagedCheckpointGoesWithItsPlace() throws {
        for change in [{ $0.removeLast(9) }, { $0 += [1, 2, 3] }] as [(inout [UInt8]) -> Void] {
            let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(1)
            func steps() throws -> [Int] {
                try CheckpointCatalog.list(runDirectory: Self.run, files: files).map(\.step)
            }
            #expect(try ranks.run { try Self.save([10, 20], $0, files) }[0].isEmpty)
            let old = CheckpointCatalog.directory(runDirectory: Self.run, step: 10)
            try files.damage(old.appending("shard-00001-of-00001.safetensors"), change)
            try files.makeDirectories(CheckpointCatalog.directory(runDirectory: Self.run, step: 5))
            #expect(try ranks.run { try Self.save([30], $0, files) }[0].isEmpty)
            #expect(try steps() == [30, 20, 5])
        }
    }

    /// So does one whose manifest cannot be read; a sound one that somebody renamed stays.
    @Test func aDamagedManifestGoesWithItsPlaceAndARenamedCheckpointStays() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(1)
        func directory(_ step: Int) -> FilePath { CheckpointCatalog.directory(runDirectory: Self.run, step: step) }
        _ = try ranks.run { try Self.save([10, 20], $0, files) }
        try files.move(directory(10), to: directory(7))
        try files.damage(directory(20).appending("manifest.json")) { $0.removeLast(9) }
        _ = try ranks.run { try Self.save([30, 40, 50], $0, files) }
        #expect(try CheckpointCatalog.list(runDirectory: Self.run, files: files).map(\.step) == [50, 40, 7])
    }

    /// What cannot be looked at may be sound: an older one would cost hours.
    @Test(arguments: ["manifest.json", "shard-00002-of-00002.safetensors"])
    func filesThatMayNotBeOpenedAreTriedAgain(file: String) throws {
        let files = SimulatedFiles(directory: Self.run)
        let before = SimulatedRanks(2)
        files.ranks = before
        try before.run { try Self.save([10, 20], $0, files) }
        let newest = CheckpointCatalog.directory(runDirectory: Self.run, step: 20).appending(file)
        for (seconds, step) in [(30.0, 20), (1000, 10)] {
            files.forbid(newest, until: seconds)
            #expect(try Self.load(files, ranks: 2) == step, "\(file) after \(seconds) s")
        }
    }

    /// A shared file system may show a file late: it is waited for, and one that does not come is damage.
    @Test(arguments: ["manifest.json", "shard-00002-of-00002.safetensors"])
    func filesThatAreShownLateAreWaitedFor(file: String) throws {
        let files = SimulatedFiles(directory: Self.run)
        let before = SimulatedRanks(2)
        files.ranks = before
        try before.run { try Self.save([10, 20], $0, files) }
        let late = CheckpointCatalog.directory(runDirectory: Self.run, step: 20).appending(file)
        for (seconds, step) in [(4.0, 20), (60, 10)] {
            files.show(late, from: seconds)
            #expect(try Self.load(files, ranks: 2) == step, "\(file) after \(seconds) s")
        }
    }

    /// Where one rank dies, the others go on as far as they can; then the job is over. Whatever the schedule, and whether
    /// or not the power goes as well: from `renamed` on the new checkpoint may load, from `committed` on it must.
    @Test(arguments: SavePoint.allCases) func aKilledRankLeavesThePromisedCheckpoint(point: SavePoint) throws {
        var reached = 0
        for seed in 0..<24 {
            let count = 2 + seed % 2, victim = seed / 2 % count, losesPower = seed % 4 > 1
            let files = SimulatedFiles(directory: Self.run)
            let before = SimulatedRanks(count, seed: UInt64(seed))
            files.ranks = before
            try before.run { try Self.save([10], $0, files) }

            let ranks = SimulatedRanks(count, seed: UInt64(seed))
            files.ranks = ranks
            let isPromised = Atomic(false), isRenamed = Atomic(false), isReached = Atomic(false)
            _ = try ranks.outcomes { world in
                try Self.save([20], world, files, keep: 1) { passed, rank in
                    if ranks.isKilled(rank) { return }
                    if passed == .renamed { isRenamed.store(true, ordering: .relaxed) }
                    if passed == .committed { isPromised.store(true, ordering: .relaxed) }
                    guard passed == point, rank == victim else { return }
                    isReached.store(true, ordering: .relaxed)
                    ranks.kill(rank)
                }
            }
            files.ranks = nil
            if isReached.load(ordering: .relaxed) { reached += 1 }
            var generator = KeyedGenerator(UInt64(seed), 1)
            if losesPower { files.losePower(&generator) }
            let step = try Self.load(files, ranks: 2)
            let (renamed, promised) = (isRenamed.load(ordering: .relaxed), isPromised.load(ordering: .relaxed))
            let isAllowed = promised || (renamed && !losesPower) ? step == 20 : step == 10 || (renamed && step == 20)
            #expect(isAllowed, "seed \(seed): step \(step ?? 0)")
            // The next start clears what was left, and saves.
            let after = SimulatedRanks(3, seed: UInt64(seed))
            files.ranks = after
            #expect(try after.run { try Self.save([30], $0, files) }.flatMap { $0 }.isEmpty)
            #expect(try Self.load(files, ranks: 1) == 30)
        }
        #expect(reached > 0, "nobody died at \(point)")
    }

    /// All ranks stop at once, anywhere, and the power is gone: what was promised is there.
    private func lostSteps(seeds: Range<Int>, synchronizes: Bool = true) throws -> [Int] {
        try seeds.filter { seed in
            let files = SimulatedFiles(directory: Self.run)
            files.synchronizes = synchronizes
            let ranks = SimulatedRanks(1 + seed % 3, seed: UInt64(seed))
            files.ranks = ranks
            var generator = KeyedGenerator(UInt64(seed), 2)
            let end = 10 + generator.integer(below: 120)
            for rank in 0..<ranks.count { ranks.kill(rank, atOperation: end) }
            let promised = Atomic(0)
            _ = try ranks.outcomes { world in
                for step in [10, 20, 30] {
                    _ = try Self.save([step], world, files) { point, rank in
                        if point == .committed, !ranks.isKilled(rank) { promised.store(step, ordering: .relaxed) }
                    }
                }
            }
            files.ranks = nil
            files.losePower(&generator)
            let wanted = promised.load(ordering: .relaxed)
            do {
                return try (Self.load(files, ranks: 2) ?? 0) < wanted
            } catch {
                return true
            }
        }
    }

    @Test func aLossOfPowerLeavesThePromisedCheckpoint() throws {
        #expect(try lostSteps(seeds: 0..<1000).isEmpty)
    }

    /// The simulation sees what it is made to see.
    @Test func withoutSynchronizationCheckpointsAreLost() throws {
        #expect(try lostSteps(seeds: 0..<60, synchronizes: false).count > 5)
    }

    @Test func aDiskThatFailsIsAnOutcomeAndTheNextSaveWorks() throws {
        var failures = 0
        for operation in 1...60 {
            let files = SimulatedFiles(directory: Self.run)
            let before = SimulatedRanks(2, seed: UInt64(operation))
            files.ranks = before
            try before.run { try Self.save([10], $0, files) }
            let ranks = SimulatedRanks(2, seed: UInt64(operation))
            files.ranks = ranks
            files.fail(rank: operation % 2, atOperation: operation / 2 + 1)
            let outcomes = try ranks.outcomes { try Self.save([20, 30], $0, files) }
            guard case .success(let texts) = outcomes[0], !texts.isEmpty else { continue }
            failures += 1
            #expect(texts.count == 1 && texts[0].contains("rank \(operation % 2): "), "\(texts)")
            // What fails once the checkpoint has its name leaves it.
            let newest = try Self.load(files, ranks: 2), isLast = texts[0].contains("step 30: ")
            #expect(newest == 30 || isLast && newest == 20, "\(texts), and \(newest ?? 0) loads")
        }
        #expect(failures > 5, "\(failures) failures")
    }
}
