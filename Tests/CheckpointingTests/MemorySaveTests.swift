import Checkpointing
import Files
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Checkpoints in the memory of simulated hosts: any one of them may be lost.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for the dead for ever"))
struct MemorySaveTests {
    static let run: FilePath = "/runs/night"

    /// The memory of a host, and what two runs have there.
    static func folder(_ host: String) -> FilePath { FilePath("/memory").appending(host) }

    static func store(_ world: SimulatedCollective, _ files: SimulatedFiles, _ identity: String) -> MemoryStore {
        MemoryStore(folder: folder(world.hostName), identity: identity, files: files)
    }

    static func saver(
        _ world: SimulatedCollective, _ files: SimulatedFiles, _ identity: String = "night", limit: Int = .max
    ) throws -> MemorySaver {
        try MemorySaver(
            store: store(world, files, identity), communicator: world, limit: limit, clock: world.ranks.clock)
    }

    /// Saves steps to memory one after another; returns the reasons of those that failed.
    @discardableResult
    static func save(
        _ steps: [Int], start: Int = 1, on ranks: SimulatedRanks, _ files: SimulatedFiles, identity: String = "night"
    ) throws -> [String] {
        files.ranks = ranks
        defer { files.ranks = nil }
        return try ranks.run { world -> [String] in
            let saver = try saver(world, files, identity)
            return try steps.compactMap { step in
                guard case .failed(let reason) = try saver.save(step, start: start) else { return nil }
                return reason
            }
        }.flatMap { $0 }
    }

    /// The step and the place of the newest checkpoint that loads, with the right contents; nil where there is none.
    static func load(
        on ranks: SimulatedRanks, _ files: SimulatedFiles, identity: String = "night", starts: [Int] = [0]
    ) throws -> (step: Int, place: String, passedOver: [String])? {
        files.ranks = ranks
        defer { files.ranks = nil }
        return try ranks.run { world -> (step: Int, place: String, passedOver: [String])? in
            var passedOver: [String] = []
            guard
                let reader = try CheckpointReader.openNewest(
                    runDirectory: run, memory: store(world, files, identity), course: RunCourse(starts: starts),
                    communicator: world, files: files, clock: ranks.clock, report: { passedOver.append($0) })
            else { return nil }
            #expect(try SimulatedState.differences(reader) == [])
            return (reader.manifest.facts.step, reader.place, passedOver)
        }[0]
    }

    private static func lose(_ hosts: [Int], _ files: SimulatedFiles) throws {
        for host in hosts { try files.removeTree(folder("host\(host)")) }
    }

    @Test func copiesGoToTheNextHost() {
        let plan = HostPlan(names: ["a", "b", "a", "c", "b", "b"])
        #expect(plan.ranks == [[0, 2], [1, 4, 5], [3]])
        #expect((0..<6).map { plan.keeper(of: $0) } == [1, 3, 4, 0, 3, 3])
        #expect((0..<6).map { plan.wards(of: $0) } == [[3], [0], [], [1, 4, 5], [2], []])
        let alone = HostPlan(names: ["a", "a"])
        #expect(alone.keeper(of: 1) == nil && alone.wards(of: 0).isEmpty)
    }

    @Test func aCourseLeavesBehindWhatALaterStartWentBackOver() {
        let course = RunCourse(starts: [0, 40, 30])
        #expect(course.includes(step: 30, ofStart: 1) && !course.includes(step: 35, ofStart: 1))
        #expect(!course.includes(step: 50, ofStart: 2) && course.includes(step: 50, ofStart: 3))
        #expect(!course.includes(step: 1, ofStart: 4) && !course.includes(step: 1, ofStart: 0))
    }

    /// Four hosts of one or two ranks, whichever one is lost.
    @Test(arguments: [1, 2]) func anyOneHostMayBeLost(perHost: Int) throws {
        for lost in [0, 3] {
            let files = SimulatedFiles(directory: Self.run)
            let ranks = SimulatedRanks(4 * perHost, perHost: perHost, seed: UInt64(lost))
            #expect(try Self.save([10, 20], on: ranks, files) == [])
            try Self.lose([lost], files)
            for count in [1, 3, 4] {
                // The first hosts are started again, one of them anew.
                let again = SimulatedRanks(count * perHost, perHost: perHost, seed: 7)
                let loaded = try Self.load(on: again, files), there = (0..<count).filter { $0 != lost }
                let isComplete = (0..<4).allSatisfy { there.contains($0) || there.contains(($0 + 1) % 4) }
                #expect(loaded?.step == (isComplete ? 20 : nil), "host \(lost), \(count) hosts")
                #expect(!isComplete || loaded?.place == "step-00000020 in the memory of \(count) hosts")
            }
        }
    }

    @Test func twoNeighboursThatAreLostLeaveTheDisk() throws {
        let files = SimulatedFiles(directory: Self.run)
        try Self.saveToDisk(5, files)
        try Self.save([10], on: SimulatedRanks(4), files)
        try Self.lose([1], files)
        #expect(try Self.load(on: SimulatedRanks(4), files)?.step == 10)
        try Self.lose([2], files)
        let loaded = try Self.load(on: SimulatedRanks(4), files)
        #expect(loaded?.step == 5 && loaded?.place.hasPrefix(Self.run.string) == true)
        #expect(
            loaded?.passedOver.first?.contains("no host has shard-00002-of-00004.safetensors") == true, "\(loaded!)")
    }

    private static func saveToDisk(_ step: Int, _ files: SimulatedFiles) throws {
        let ranks = SimulatedRanks(2)
        files.ranks = ranks
        defer { files.ranks = nil }
        try ranks.run { world in
            let saver = try CheckpointSaver(
                runDirectory: run, communicator: world, keep: 2, files: files, clock: ranks.clock)
            saver.beginSave(
                SimulatedState.tensors(step: step).map { SavedTensor($0) }, facts: SimulatedState.facts(step: step))
            _ = try saver.finishSave()
        }
    }

    /// Reading needs memory for a rank's own part and for one message, not for a second state.
    @Test func tensorsAreReadOneAfterAnother() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(3), elements = 1_100_000
        files.ranks = ranks
        defer { files.ranks = nil }
        let most = try ranks.run { world -> Int in
            let saver = try CheckpointSaver(
                runDirectory: Self.run, communicator: world, keep: 2, files: files, clock: ranks.clock)
            let tensors = (0..<6).map { index in
                let tensor = Tensor([elements])
                tensor.fill(Float(index))
                return SavedTensor(NamedTensor(name: "layer\(index)", tensor: tensor))
            }
            saver.beginSave(tensors, facts: SimulatedState.facts(step: 10))
            _ = try saver.finishSave()
            let found = try CheckpointReader.openNewest(
                runDirectory: Self.run, communicator: world, files: files, clock: ranks.clock, report: { _ in })
            let reader = try #require(found)
            var open = 0, most = 0, wrong = 0
            let places = (0..<6).map { index in
                CheckpointReader.Place(name: "layer\(index)", elementType: .float32, shape: [elements]) {
                    open += 1
                    most = max(most, open)
                    return NamedTensor(name: "layer\(index)", tensor: Tensor([elements]))
                } take: {
                    open -= 1
                    if $0.floats?.allSatisfy({ $0 == Float(index) }) != true { wrong += 1 }
                }
            }
            try reader.read(into: places)
            #expect(open == 0 && wrong == 0)
            return most
        }
        #expect(most == [2, 3, 3], "the first has given its own away before others' come")
    }

    @Test func aHostAloneKeepsItForItsProcesses() throws {
        let files = SimulatedFiles(directory: Self.run)
        try Self.save([10, 20], on: SimulatedRanks(3, perHost: 3), files)
        #expect(
            try Self.load(on: SimulatedRanks(2, perHost: 2), files)?.place == "step-00000020 in the memory of 1 host")
        try Self.lose([0], files)
        #expect(try Self.load(on: SimulatedRanks(2, perHost: 2), files) == nil)
    }

    /// A shard with a flipped bit is read from its copy; where both have one, the disk is left.
    @Test func damagedMemoryIsNotUsed() throws {
        let files = SimulatedFiles(directory: Self.run),
            name = "checkpoints/step-00000010/shard-00001-of-00002.safetensors"
        try Self.saveToDisk(5, files)
        try Self.save([10], on: SimulatedRanks(2), files)
        for (host, step) in [("host0", 10), ("host1", 5)] {
            try files.damage(Self.folder(host).pushing(FilePath("pixpro-night/" + name))) { $0[$0.count - 3] ^= 8 }
            #expect(try Self.load(on: SimulatedRanks(2), files)?.step == step)
        }
    }

    @Test func memoryOfAnotherRunAndOfAWayThatWasLeftIsNeverUsed() throws {
        let files = SimulatedFiles(directory: Self.run)
        try Self.save([50], start: 1, on: SimulatedRanks(2), files)
        #expect(try Self.load(on: SimulatedRanks(2), files, identity: "other") == nil)
        #expect(try Self.load(on: SimulatedRanks(2), files, starts: [0, 50])?.step == 50)
        #expect(try Self.load(on: SimulatedRanks(2), files, starts: [0, 40]) == nil)
        // The second start comes to the same step by its own way.
        try Self.save([50], start: 2, on: SimulatedRanks(2), files)
        #expect(try Self.load(on: SimulatedRanks(2), files, starts: [0, 40])?.step == 50)
    }

    /// A host's memory that fails makes the save fail on all ranks alike, for one cause, and the one before remains.
    @Test(arguments: [1, 2]) func memoryThatFailsIsAnOutcomeAndTheNextSaveWorks(perHost: Int) throws {
        var failures = 0
        func ranks(_ seed: UInt64 = 0) -> SimulatedRanks { SimulatedRanks(2 * perHost, perHost: perHost, seed: seed) }
        for operation in 1...20 {
            let files = SimulatedFiles(directory: Self.run), rank = operation % 2 * perHost
            try Self.save([10], on: ranks(), files)
            files.fail(rank: rank, atOperation: 3 + operation)
            let reasons = try Self.save([20, 30], on: ranks(UInt64(operation)), files)
            let step = try Self.load(on: ranks(), files)?.step
            guard !reasons.isEmpty else { continue }
            failures += 1
            #expect(Set(reasons).count == 1 && reasons[0].contains("memory: rank \(rank): "), "\(reasons)")
            #expect(reasons[0].components(separatedBy: "rank ").count == 2, "\(reasons)")
            #expect(step == (reasons[0].contains("step 30") ? 20 : 30), "\(reasons), and \(step ?? 0) loads")
        }
        #expect(failures > 3, "\(failures) failures")
    }

    /// A bit that flips between two comparisons: what the next host writes is not what the shard's own rank has.
    @Test func ranksThatHoldDifferentStatesMakeNoCheckpoint() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(3)
        try Self.save([10], on: SimulatedRanks(3), files)
        files.ranks = ranks
        let outcomes = try ranks.run { world -> String in
            // Both have the same layout: rank one is a step ahead.
            let tensors = SimulatedState.tensors(step: world.rank == 1 ? 21 : 20, start: 1).map { SavedTensor($0) }
            return "\(try Self.saver(world, files).save(tensors, facts: SimulatedState.facts(step: 20, start: 1)))"
        }
        files.ranks = nil
        #expect(
            outcomes.allSatisfy {
                $0.contains("rank 0: the shard of rank 0 has 1392 bytes and CRC-32C ")
                    && $0.contains("rank 1: the shard of rank 1 has ") && $0.contains("do not hold the same state")
            }, "\(outcomes)")
        #expect(try Self.load(on: SimulatedRanks(3), files)?.step == 10)
    }

    @Test func ranksThatAreAtDifferentStepsMakeNoCheckpoint() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
        files.ranks = ranks
        defer { files.ranks = nil }
        let outcomes = try ranks.run { world in "\(try Self.saver(world, files).save(world.rank == 0 ? 20 : 21))" }
        #expect(
            outcomes.allSatisfy {
                $0.contains("rank 0: saves step 20, of tensors that others do not have; rank 1: saves step 21, of")
            }, "\(outcomes)")
    }

    @Test func aRunThatEndedWellLeavesNothing() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
        try Self.save([10], on: SimulatedRanks(2), files, identity: "other")
        files.ranks = ranks
        try ranks.run { world in
            let saver = try Self.saver(world, files, limit: 4000)
            let tensors = SimulatedState.tensors(step: 1).map { SavedTensor($0) }
            let demand = saver.demand(tensors)
            #expect(demand.granted == 4000 && demand.bytes == 2 * 1576, "\(demand)")
            _ = try saver.save(1)
            try saver.removeAll()
        }
        files.ranks = nil
        #expect(try files.names(in: Self.folder("host0")).map(\.string) == ["pixpro-other"])
    }
}

extension MemorySaver {
    /// Saves the simulated state of a step.
    func save(_ step: Int, start: Int = 1) throws -> MemorySaveOutcome {
        try save(
            SimulatedState.tensors(step: step, start: start).map { SavedTensor($0) },
            facts: SimulatedState.facts(step: step, start: start))
    }
}
