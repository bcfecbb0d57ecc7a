import Checkpointing
import Foundation
import SystemPackage
import TestSupport
import Testing
import Training

/// A run knows nothing of what it trains: two modules that learn in turn, on pictures of unequal size, with targets that
/// some ranks have none of.
@Suite(.serialized) struct OtherTaskTests {
    private static let settings = [
        "schedule.epochs=100000", "schedule.warmupEpochs=0", "batch.global=7", "data.workers=0", "parallel.threads=1",
        "parallel.oversubscribe=true", "evaluation.everyEpochs=0", "checkpoint.everySteps=3", "checkpoint.keep=1000000",
        "precision=float32",
    ]

    private func train(_ run: SmallRun, ranks: Int, _ settings: [String]) throws -> ProcessResult {
        try MPILauncher.run(
            "task-check", ranks: ranks,
            ["train", SmallRun.data + "/images/train", "run.directory=\(run.run)"] + Self.settings + settings,
            timeLimit: 60)
    }

    private func values(_ run: SmallRun, _ name: String) throws -> [Double] {
        try MetricsFile.read(FilePath(run.run + "/metrics.jsonl")).records.filter { $0.kind == .train }
            .compactMap { $0.values[name] }
    }

    @Test func anyNumberOfRanksTrainsItAlike() throws {
        var reference: [[Double]] = []
        for ranks in 1...4 {
            try SmallRun.with { run in
                // Seven pictures, of which two or three have a goal: on four ranks some have none.
                let result = try train(run, ranks: ranks, ["schedule.steps=5"])
                #expect(result.status == 0, "\(result)")
                let found = try ["loss", "loss.judge", "pixelGradient"].map { try values(run, $0) }
                #expect(found.allSatisfy { $0.count == 5 && $0.allSatisfy(\.isFinite) }, "\(found)")
                if ranks == 1 { reference = found }
                for (a, b) in zip(found, reference) {
                    for (x, y) in zip(a, b) { #expect(abs(x - y) <= 1e-5 * max(1, abs(y)), "\(ranks): \(a) \(b)") }
                }
            }
        }
        // Both learn, and the picture's own gradient was there to be measured.
        #expect(reference[1].first! > reference[1].last! && reference[2].allSatisfy { $0 > 0 }, "\(reference)")
    }

    @Test func aKilledRunGoesOnBitForBitIsScoredAndExported() throws {
        var expected: [String] = []
        try SmallRun.with { run in
            #expect(try train(run, ranks: 2, ["schedule.steps=6"]).status == 0)
            expected = try run.shardChecksums(step: 6)
            #expect(expected.count == 2)
        }
        try SmallRun.with { run in
            let checkpoint = run.run + "/checkpoints/step-00000003/manifest.json"
            let (killed, killing) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: checkpoint) }
                return kill(try run.process(rank: 1).id, SIGKILL)
            } _: {
                try train(run, ranks: 2, ["schedule.steps=100000"])
            }
            #expect(killing == 0 && killed.status != 0, "\(killed)")
            // Whatever it had saved since goes: the resumed run shall begin at step 3.
            for entry in try CheckpointCatalog.list(runDirectory: FilePath(run.run)) where entry.step > 3 {
                try FileManager.default.removeItem(atPath: entry.directory.string)
            }
            let resumed = try train(run, ranks: 2, ["schedule.steps=6"])
            #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
            #expect(try run.shardChecksums(step: 6) == expected)
            // The judge learns twice in each of the six steps, of seven pictures.
            let counters = try CheckpointCatalog.verify(
                try CheckpointCatalog.find(step: 6, runDirectory: FilePath(run.run))
            )
            .facts.counters
            #expect(counters["samples.judge"] == 84 && counters["samples.painter"] == 42, "\(counters)")
            #expect(counters["skippedUpdates.judge"] == 0 && counters["skippedUpdates.painter"] == 0, "\(counters)")

            let scored = try MPILauncher.run("task-check", ranks: 2, ["evaluate", run.run], timeLimit: 60)
            #expect(scored.status == 0 && scored.output.contains("\"brightness\""), "\(scored)")
            let file = run.directory + "/painter.safetensors"
            let exported = try MPILauncher.run("task-check", ranks: 1, ["export", run.run, file], timeLimit: 60)
            #expect(exported.output == "wrote 2 tensors\n", "\(exported)")
            #expect(try SafetensorsFile(path: FilePath(file)).tensors.map(\.name).sorted() == ["bias", "weight"])

            let other = try MPILauncher.run(
                "pixpro", ranks: 1,
                [
                    "train", SmallRun.data + "/images/train", "--set", "run.directory=\(run.run)", "--set",
                    "batch.global=7",
                ],
                timeLimit: 60)
            #expect(other.status == 78 && other.errorOutput.contains("was made with task players"), "\(other)")
        }
    }
}
