import Foundation
import TestSupport
import Testing
import Training

@Suite(.serialized) struct TrainingOverRanksTests {
    @Test func theSameBatchGivesTheSameLossesOnAnyNumberOfRanks() throws {
        var reference: [Double] = []
        for ranks in 1...4 {
            try SmallRun.with { run in
                let result = try run.train(ranks: ranks)
                #expect(result.status == 0, "\(result)")
                let losses = try run.losses()
                if ranks == 1 { reference = losses }
                #expect(losses.count == 4)
                for (loss, expected) in zip(losses, reference) {
                    #expect(abs(loss - expected) <= 1e-4 * abs(expected), "\(ranks) ranks: \(losses), 1 rank: \(reference)")
                }
            }
        }
    }

    @Test func accumulationMatchesRanksOfTheSameGroupSize() throws {
        // Two micro-batches of 2 × 6 images share statistics as two of 1 × 12 do.
        var losses: [[Double]] = []
        for (ranks, micro) in [(1, 12), (2, 6)] {
            try SmallRun.with { run in
                let result = try run.train(ranks: ranks, ["batch.microBatch=\(micro)", "schedule.steps=3"])
                #expect(result.status == 0, "\(result)")
                losses.append(try run.losses())
            }
        }
        for (a, b) in zip(losses[0], losses[1]) { #expect(abs(a - b) <= 1e-4 * abs(a), "\(losses)") }
    }

    @Test func overlappedAndInlineCommunicationAreBitwiseEqual() throws {
        var losses: [[Double]] = [], checksums: [[String]] = []
        for mode in ["inline", "overlapped"] {
            try SmallRun.with { run in
                let result = try run.train(ranks: 2, ["parallel.communication=\(mode)"])
                #expect(result.status == 0, "\(result)")
                losses.append(try run.losses())
                checksums.append(try run.shardChecksums(step: 4))
            }
        }
        #expect(losses[0] == losses[1] && losses[0].count == 4)
        #expect(checksums[0] == checksums[1] && checksums[0].count == 2)
    }

    @Test func loaderThreadsDoNotChangeTheNumbers() throws {
        var losses: [[Double]] = []
        for workers in [0, 2] {
            try SmallRun.with { run in
                let result = try run.train(ranks: 1, ["data.workers=\(workers)", "schedule.steps=3"])
                #expect(result.status == 0, "\(result)")
                losses.append(try run.losses())
            }
        }
        #expect(losses[0] == losses[1])
    }

    @Test func aKilledRunGoesOnBitForBit() throws {
        var expected: (losses: [Double], checksums: [String]) = ([], [])
        let settings = ["checkpoint.everySteps=3", "schedule.steps=6"]
        try SmallRun.with { run in
            #expect(try run.train(ranks: 2, settings).status == 0)
            expected = (try run.losses(), try run.shardChecksums(step: 6))
        }
        try SmallRun.with { run in
            let killer = Thread {
                // A rank dies as soon as the first checkpoint is complete.
                let deadline = Date() + 60
                while Date() < deadline, !FileManager.default.fileExists(
                    atPath: run.run + "/checkpoints/step-00000003/manifest.json") { usleep(2_000) }
                _ = try? runProcess("/usr/bin/pkill", ["-KILL", "-n", "-f", "run.directory=\(run.run)"])
            }
            killer.start()
            let killed = try run.train(ranks: 2, ["checkpoint.everySteps=3", "schedule.steps=200"])
            #expect(killed.status != 0 && killed.seconds < 60, "\(killed)")
            let resumed = try run.train(ranks: 2, settings)
            #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
            let losses = try run.losses()
            #expect(losses == expected.losses, "\(losses), expected \(expected.losses)")
            #expect(try run.shardChecksums(step: 6) == expected.checksums)
        }
    }

    @Test func aRunGoesOnAtAnotherNumberOfRanks() throws {
        var expected: [Double] = []
        try SmallRun.with { run in
            #expect(try run.train(ranks: 2, ["schedule.steps=6"]).status == 0)
            expected = try run.losses()
        }
        for ranks in [1, 3] {
            try SmallRun.with { run in
                #expect(try run.train(ranks: 2, ["schedule.steps=3"]).status == 0)
                let resumed = try run.train(ranks: ranks, ["schedule.steps=6"])
                #expect(resumed.status == 0, "\(resumed)")
                let losses = try run.losses()
                #expect(losses.count == 6)
                for (a, b) in zip(losses, expected) { #expect(abs(a - b) <= 1e-4 * abs(b), "\(losses) \(expected)") }
            }
        }
    }
}
