import Checkpointing
import Files
import MessagePassing
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// What checkpoints in memory take, and what gives way to them.
extension MemorySaveTests {
    /// Two are kept; a run that went back comes to the same step again, in a start whose way it is.
    @Test func eachIsWrittenOverTheOlderOfTwo() throws {
        let files = SimulatedFiles(directory: Self.run)
        func kept() throws -> [String] {
            try files.names(in: Self.folder("host1").pushing(FilePath("pixpro-night/checkpoints"))).map(\.string)
        }
        for (steps, left) in [
            ([10], [10]), ([10, 20], [10, 20]), ([10, 20, 30, 40], [30, 40]), ([10, 20, 20, 30], [20, 30]),
        ] {
            #expect(try Self.save(steps, on: SimulatedRanks(3), files) == [])
            #expect(try kept() == left.map { "step-000000\($0)" }, "\(steps)")
            #expect(try Self.load(on: SimulatedRanks(3), files)?.step == steps.last)
        }
    }

    /// A state that grows and shrinks is written over files of other lengths.
    @Test(arguments: [2, 3]) func shardsOfOtherLengthsAreWrittenOver(hosts: Int) throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(hosts)
        files.ranks = ranks
        defer { files.ranks = nil }
        let saved = try ranks.run { world -> [String] in
            let saver = try Self.saver(world, files)
            return try [(10, 400), (20, 3), (30, 50), (40, 900)].map { step, count in
                let tensors = (0..<3).map { index in
                    let tensor = Tensor([count + index])
                    tensor.fill(Float(step + index))
                    return NamedTensor(name: "layer\(index)", tensor: tensor)
                }
                _ = try saver.save(tensors.map { SavedTensor($0) }, facts: SimulatedState.facts(step: step, start: 1))
                let reader = try CheckpointReader.openNewest(
                    runDirectory: Self.run, memory: Self.store(world, files, "night"), course: RunCourse(starts: [0]),
                    communicator: world, files: files, clock: ranks.clock, report: { _ in })
                let loaded = try #require(reader).readAll()
                return tensors.allSatisfy { loaded[$0.name]?.floats == $0.floats } ? reader!.place : "other numbers"
            }
        }
        let places = [10, 20, 30, 40].map { "step-000000\($0) in the memory of \(hosts) hosts" }
        #expect(saved == Array(repeating: places, count: hosts))
    }

    /// A step that is saved again, as after going back, and cannot be: the one that is there remains.
    @Test func aStepThatCannotBeSavedAgainRemains() throws {
        var failures = 0
        for operation in 1...20 {
            let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
            files.ranks = ranks
            let failed = try ranks.run { world -> Bool in
                let saver = try Self.saver(world, files)
                for step in [10, 20] { _ = try saver.save(step) }
                if world.isRoot { files.fail(rank: 0, atOperation: operation) }
                if case .failed(let reason) = try saver.save(20) { return !reason.contains("completing") }
                return false
            }
            files.ranks = nil
            guard failed[0] else { continue }
            failures += 1
            #expect(try Self.load(on: SimulatedRanks(2), files)?.step == 20, "operation \(operation)")
        }
        #expect(failures > 5, "\(failures) failures")
    }

    /// Whoever cleans a host's memory while the run goes on loses what was there, not what comes.
    @Test func filesThatWereRemovedAreMadeAnew() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
        files.ranks = ranks
        try ranks.run { world in
            let saver = try Self.saver(world, files)
            for step in [10, 20, 30] {
                _ = try saver.save(step)
                guard step == 20 else { continue }
                try world.barrier("cleaning")
                let folder = Self.folder(world.hostName).pushing(FilePath("pixpro-night/checkpoints/step-00000010"))
                for name in try files.names(in: folder) where name.string.hasPrefix("shard") {
                    try files.removeTree(folder.appending(name))
                }
                try world.barrier("cleaned")
            }
        }
        files.ranks = nil
        #expect(try Self.load(on: SimulatedRanks(2), files)?.step == 30)
    }

    /// The first checkpoint of a start needs room for two as every other: what the run did not go on from goes before.
    @Test func aStartKeepsWhatItGoesOnFromAlone() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
        for (step, left) in [(20, ["step-00000020"]), (nil, [])] as [(Int?, [String])] {
            try Self.save([10, 20], on: SimulatedRanks(2), files)
            let folder = Self.folder("host1").pushing(FilePath("pixpro-night/checkpoints"))
            #expect(try files.names(in: folder).count == 2)
            files.ranks = ranks
            let held = try ranks.run { world -> [Int] in
                let store = Self.store(world, files, "night"), before = store.byteCount
                try Self.saver(world, files).wentOn(from: step)
                try world.barrier("looking")
                return [before, store.byteCount]
            }
            files.ranks = nil
            #expect(held[0][0] > 2000 && held[0][1] == (step == nil ? 0 : held[0][0] / 2), "\(held)")
            #expect(try files.names(in: folder).map(\.string) == left)
        }
    }

    /// A job died while it completed a step: one host has it, the other the step before. Both stay until a save.
    @Test func whatOneHostAloneHasDoesNotReplaceWhatBothHave() throws {
        let files = SimulatedFiles(directory: Self.run), ranks = SimulatedRanks(2)
        try Self.save([10, 20], on: SimulatedRanks(2), files)
        try files.removeTree(Self.folder("host0").pushing(FilePath("pixpro-night/checkpoints/step-00000020")))
        #expect(try Self.load(on: SimulatedRanks(2), files)?.step == 20)
        files.ranks = ranks
        try ranks.run { try Self.saver($0, files).wentOn(from: 20) }
        files.ranks = nil
        try files.removeTree(Self.folder("host1"))
        #expect(try Self.load(on: SimulatedRanks(2), files)?.step == 10)
    }

    /// As containers of one machine may that go by names of their own: one host for its processes, not two that clash.
    @Test func hostsThatShareTheirMemoryAreOne() throws {
        let files = SimulatedFiles(directory: Self.run)
        try files.makeDirectories("/memory/shared")
        func store() -> MemoryStore { MemoryStore(folder: "/memory/shared", identity: "night", files: files) }
        let ranks = SimulatedRanks(3)
        files.ranks = ranks
        defer { files.ranks = nil }
        let places = try ranks.run { world -> String? in
            let saver = try MemorySaver(
                store: store(), communicator: world, limit: .max, clock: ranks.clock)
            for step in [10, 20, 30] {
                guard case .committed = try saver.save(step) else { return "step \(step) was not saved" }
            }
            return try CheckpointReader.openNewest(
                runDirectory: Self.run, memory: store(), course: RunCourse(starts: [0]), communicator: world,
                files: files, clock: ranks.clock, report: { _ in })?.place
        }
        #expect(places == .init(repeating: "step-00000030 in the memory of 1 host", count: 3))
    }
}
