import Checkpointing
import Foundation
import MessagePassing
import SystemPackage
import TestSupport
import Testing

/// One rank's weights change by a bit while a job runs: memory without, or past, error correction.
@Suite(.serialized) struct BitFlipTests {
    /// The momentum encoder does not move at this momentum, so that what a checkpoint has of it is in memory later.
    private static func settings(every: Int, steps: Int) -> [String] {
        [
            "batch.global=24", "schedule.steps=\(steps)", "checkpoint.everySteps=\(every)", "method.baseMomentum=1",
            "log.everySteps=1", "numbers.replicaSteps=1",
        ]
    }
    private static let tensor = "encoder_k.layer3.0.downsample.0.weight"

    /// Flips a bit of the tensor in rank 1 once there is a checkpoint on disk, and in `memory`, if that is asked for, a newer
    /// one; returns the step by which that had happened.
    private func flip(
        _ run: SmallRun, every: Int, memory: String?, _ wait: (() -> Bool) -> Void
    ) throws -> (places: Int, step: Int) {
        let directory = run.run + "/checkpoints/step-0000000\(every)"
        wait {
            FileManager.default.fileExists(atPath: directory + "/manifest.json")
                && memory.map { newest(in: $0) > every } != false
        }
        for shard in try FileManager.default.contentsOfDirectory(atPath: directory) where shard.hasPrefix("shard") {
            let file = try SafetensorsFile(path: FilePath(directory + "/" + shard))
            guard file.description(of: Self.tensor) != nil else { continue }
            let bytes = try file.read(Self.tensor).withBytes { Array($0) }
            return (try BitFlip.flip(bytes, in: try run.process(rank: 1).id), run.steps)
        }
        return (0, 0)
    }

    /// The step of the newest checkpoint below a folder; 0 where there is none.
    private func newest(in folder: String) -> Int {
        let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return files.filter { $0.hasSuffix("/manifest.json") }.compactMap {
            Int($0.split(separator: "/").dropLast().last!.dropFirst("step-".count))
        }.max() ?? 0
    }

    /// All ranks go back to the newest checkpoint, on disk or in memory, and redo the steps since.
    @Test(arguments: [(false, 2, 8), (true, 6, 12)])
    func aFlippedBitIsNeverSavedAndTheRunGoesOnToTheSameNumbers(inMemory: Bool, every: Int, steps: Int) throws {
        try SmallRun.with { run in
            let memory = run.directory + "/memory"
            try FileManager.default.createDirectory(atPath: memory, withIntermediateDirectories: true)
            let common = Self.settings(every: every, steps: steps)
            let (result, flipped) = try whileRunning { wait in
                try flip(run, every: every, memory: inMemory ? memory : nil, wait)
            } _: {
                let settings = ["checkpoint.memorySeconds=1", "checkpoint.memoryDirectory=\(memory)"]
                return try run.train(ranks: 3, common + (inMemory ? settings : []), timeLimit: 120)
            }
            #expect(flipped.places > 0 && flipped.step < steps, "\(flipped)")
            // Of three ranks two agree, so the third is named.
            let found = "ranks do not agree on the values of \(Self.tensor): rank 1 ("
            #expect(result.errorOutput.contains(found), "\(result)")
            #expect(result.errorOutput.contains("all ranks go back to "), "\(result)")
            #expect(result.errorOutput.contains("the memory of 1 host") == inMemory, "\(result)")
            #expect(result.status == 0, "\(result)")
            let whole = SmallRun(directory: run.directory + "/whole")
            #expect(try whole.train(ranks: 3, common).status == 0)
            #expect(try run.losses() == whole.losses() && run.losses().count == steps)
            for step in stride(from: every, through: steps, by: every).suffix(3) {
                #expect(try run.shardChecksums(step: step) == whole.shardChecksums(step: step))
            }
        }
    }
}
