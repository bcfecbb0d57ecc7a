import Files
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite struct LastingDirectoriesTests {
    /// Of what is made without synchronizing, some seed takes a part.
    private func lost(seeds: Range<UInt64>, _ make: (SimulatedFiles) throws -> Void) throws -> Int {
        try seeds.count { seed in
            let files = SimulatedFiles(directory: "/disk")
            try make(files)
            var generator = KeyedGenerator(seed)
            files.losePower(&generator)
            return !files.exists("/disk/runs/a/checkpoints")
        }
    }

    @Test func theNamesOfAllThatWereMadeSurviveALossOfPower() throws {
        #expect(try lost(seeds: 0..<50) { try $0.makeLastingDirectories("/disk/runs/a/checkpoints") } == 0)
        #expect(try lost(seeds: 0..<50) { try $0.makeDirectories("/disk/runs/a/checkpoints") } > 0)
    }

    @Test func theNameOfADirectoryThatIsThereIsMadeSafeToo() throws {
        let lost = try lost(seeds: 0..<50) {
            try $0.makeLastingDirectories("/disk/runs/a")
            try $0.makeDirectories("/disk/runs/a/checkpoints")
            try $0.makeLastingDirectories("/disk/runs/a/checkpoints")
        }
        #expect(lost == 0)
    }
}
