import Checkpointing
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Files of weights written over older ones, by programs that die at every point while the power goes.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely do not die at an operation"))
struct SimulatedExportTests {
    private static let path: FilePath = "/exports/backbone.safetensors"

    private static func weights(_ key: UInt64) -> [NamedTensor] {
        [("conv1.weight", [64, 9]), ("fc.bias", [3]), ("fc.weight", [3, 100])].map {
            NamedTensor(name: $0, tensor: randomTensor($1, key: key))
        }
    }

    /// Which of the weights a file holds, whole.
    private static func key(_ files: SimulatedFiles) throws -> UInt64? {
        let file = try SafetensorsFile(path: path, files: files)
        let found = try weights(1).map { try file.read($0.name).withBytes { Array($0) } }
        return ([1, 2] as [UInt64]).first { key in weights(key).map { $0.withBytes { Array($0) } } == found }
    }

    @Test func whatWasThereOrWhatIsNewLoads() throws {
        var found: [UInt64: Int] = [:]
        for operation in 1...14 {
            for seed in 0..<12 as Range<UInt64> {
                let files = SimulatedFiles(directory: Self.path.removingLastComponent())
                try SafetensorsFile.write(Self.weights(1), to: Self.path, files: files)
                let ranks = SimulatedRanks(1)
                ranks.kill(0, atOperation: operation)
                files.ranks = ranks
                let outcome = try ranks.outcomes { _ in
                    try SafetensorsFile.write(Self.weights(2), to: Self.path, files: files)
                }[0]
                files.ranks = nil
                var generator = KeyedGenerator(seed, UInt64(operation))
                if seed > 0 { files.losePower(&generator) }
                let key = try #require(try Self.key(files), "neither loads: operation \(operation), seed \(seed)")
                if case .success = outcome { #expect(key == 2, "operation \(operation), seed \(seed)") }
                found[key, default: 0] += 1
            }
        }
        #expect(found[1, default: 0] > 12 && found[2, default: 0] > 12, "\(found)")
    }

    /// The simulation sees what it is made to see.
    @Test func withoutSynchronizationBothAreLost() throws {
        var lost = 0
        for seed in 0..<32 as Range<UInt64> {
            let files = SimulatedFiles(directory: Self.path.removingLastComponent())
            try SafetensorsFile.write(Self.weights(1), to: Self.path, files: files)
            files.synchronizes = false
            try SafetensorsFile.write(Self.weights(2), to: Self.path, files: files)
            var generator = KeyedGenerator(seed)
            files.losePower(&generator)
            // A header that is torn throws.
            if (try? Self.key(files)) == nil { lost += 1 }
        }
        #expect(lost > 4, "\(lost) of 32")
    }
}
