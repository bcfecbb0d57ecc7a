import Checkpointing
import Foundation
import MessagePassing
import SystemPackage
import TestSupport
import Testing

/// One rank's weights change by a bit while a job runs: memory without, or past, error correction.
@Suite(.serialized) struct BitFlipTests {
    /// The momentum encoder does not move at this momentum, so that what a checkpoint has of it is in memory later.
    private static let settings = [
        "batch.global=24", "schedule.steps=8", "checkpoint.everySteps=2", "method.baseMomentum=1", "log.everySteps=1",
        "numbers.replicaSteps=1",
    ]
    private static let tensor = "encoder_k.layer3.0.downsample.0.weight"

    /// Flips a bit of the tensor in rank 1 once there is a checkpoint; returns the step by which that had happened.
    private func flip(_ run: SmallRun, _ wait: (() -> Bool) -> Void) throws -> (places: Int, step: Int) {
        let directory = run.run + "/checkpoints/step-00000002"
        wait { FileManager.default.fileExists(atPath: directory + "/manifest.json") }
        for shard in try FileManager.default.contentsOfDirectory(atPath: directory) where shard.hasPrefix("shard") {
            let file = try SafetensorsFile(path: FilePath(directory + "/" + shard))
            guard file.description(of: Self.tensor) != nil else { continue }
            let bytes = try file.read(Self.tensor).withBytes { Array($0) }
            return (try BitFlip.flip(bytes, in: try run.process(rank: 1).id), run.steps)
        }
        return (0, 0)
    }

    /// All ranks go back to the newest checkpoint, on disk or in memory, and redo the steps since.
    @Test(arguments: [false, true])
    func aFlippedBitIsNeverSavedAndTheRunGoesOnToTheSameNumbers(inMemory: Bool) throws {
        try SmallRun.with { run in
            let memory = run.directory + "/memory"
            try FileManager.default.createDirectory(atPath: memory, withIntermediateDirectories: true)
            let (result, flipped) = try whileRunning { wait in
                try flip(run, wait)
            } _: {
                let settings = ["checkpoint.memorySeconds=1", "checkpoint.memoryDirectory=\(memory)"]
                return try run.train(ranks: 3, Self.settings + (inMemory ? settings : []), timeLimit: 120)
            }
            #expect(flipped.places > 0 && flipped.step < 8, "\(flipped)")
            // Of three ranks two agree, so the third is named.
            let found = "ranks do not agree on the values of \(Self.tensor): rank 1 ("
            #expect(result.errorOutput.contains(found), "\(result)")
            #expect(result.errorOutput.contains("all ranks go back to "), "\(result)")
            #expect(result.errorOutput.contains("the memory of 1 host") == inMemory, "\(result)")
            #expect(result.status == 0, "\(result)")
            let whole = SmallRun(directory: run.directory + "/whole")
            #expect(try whole.train(ranks: 3, Self.settings).status == 0)
            #expect(try run.losses() == whole.losses() && run.losses().count == 8)
            for step in [4, 6, 8] { #expect(try run.shardChecksums(step: step) == whole.shardChecksums(step: step)) }
        }
    }
}
