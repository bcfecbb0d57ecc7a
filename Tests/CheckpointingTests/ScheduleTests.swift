import Checkpointing
import Files
import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Runs whose ranks and hosts die, whose disks tear what was not synchronized, and whose files are damaged, under many
/// schedules: the newest promised checkpoint always loads, and nothing else ever does.
///
/// `PIXPRO_SCHEDULES=100000` asks for more of them than a test run has time for.
@Suite(.disabled(if: SimulatedRanks.areFree, "ranks that run freely wait for the dead for ever"))
struct ScheduleTests {
    private static let count = ProcessInfo.processInfo.environment["PIXPRO_SCHEDULES"].flatMap { Int($0) } ?? 200

    /// What goes wrong under so many schedules, by seed.
    private static func violations(
        _ count: Int, _ simulate: @escaping @Sendable (UInt64) -> ScheduleSimulation
    ) -> [String] {
        let found = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: count) { seed in
            var simulation = simulate(UInt64(seed))
            let outcome = Result { try simulation.violations() }
            found.withLock {
                switch outcome {
                case .success(let violations): $0 += violations
                case .failure(let error): $0.append("seed \(seed): \(error)")
                }
            }
        }
        return found.withLock { $0.sorted() }
    }

    @Test func thePromisedCheckpointLoadsAndNothingElseDoes() {
        let found = Self.violations(Self.count) { ScheduleSimulation(seed: $0) }
        #expect(found.isEmpty, "\(found.count) of \(Self.count) schedules, first \(found.prefix(3))")
    }

    // MARK: Broken protocols, which the simulation must catch

    @Test func aProgramThatDoesNotSynchronizeIsCaught() {
        let found = Self.violations(60) { seed in
            ScheduleSimulation(seed: seed) { files in
                files.synchronizes = false
                return files
            }
        }
        #expect(!found.isEmpty)
    }

    @Test func aProgramThatWritesItsManifestFirstIsCaught() {
        let found = Self.violations(60) { ScheduleSimulation(seed: $0) { ManifestFirst($0) } }
        #expect(!found.isEmpty)
    }

    /// The manifest says of each shard what the shard is, whatever that is.
    @Test func aProgramWithoutChecksumsIsCaught() {
        let found = Self.violations(60) { seed in
            ScheduleSimulation(seed: seed, damaged: { try Self.acceptDamage($0, $1) })
        }
        #expect(found.contains { $0.contains("differs") }, "\(found.prefix(3))")
    }

    private static func acceptDamage(_ directory: FilePath, _ files: SimulatedFiles) throws {
        let path = directory.appending(CheckpointManifest.fileName)
        let file = try files.open(path), manifest = try CheckpointManifest(file.bytes(0..<file.size))
        let shards = try manifest.shards.map { shard in
            let path = directory.appending(shard.file)
            guard files.exists(path) else { return shard }
            return CheckpointManifest.Shard(
                file: shard.file, byteCount: shard.byteCount, checksum: try CRC32C(of: files.open(path)).text)
        }
        let text = CheckpointManifest(facts: manifest.facts, shards: shards, tensors: manifest.tensors).encoded
        try files.damage(path) { $0 = text }
    }
}
