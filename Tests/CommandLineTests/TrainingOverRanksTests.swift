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
                    #expect(
                        abs(loss - expected) <= 1e-4 * abs(expected), "\(ranks) ranks: \(losses), 1 rank: \(reference)")
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
        #expect(losses.map(\.count) == [3, 3])
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
        #expect(losses[0] == losses[1] && losses[0].count == 3)
    }

    @Test func aKilledRunGoesOnBitForBit() throws {
        var expected: (losses: [Double], checksums: [String]) = ([], [])
        let settings = ["checkpoint.everySteps=3", "schedule.steps=6"]
        try SmallRun.with { run in
            #expect(try run.train(ranks: 2, settings).status == 0)
            expected = (try run.losses(), try run.shardChecksums(step: 6))
            #expect(expected.losses.count == 6 && expected.checksums.count == 2)
        }
        try SmallRun.with { run in
            // A rank dies as soon as the first checkpoint is complete.
            let checkpoint = run.run + "/checkpoints/step-00000003/manifest.json"
            let (killed, killing) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: checkpoint) }
                return kill(try run.process(rank: 1).id, SIGKILL)
            } _: {
                try run.train(ranks: 2, ["checkpoint.everySteps=3", "schedule.steps=200"])
            }
            #expect(killing == 0 && killed.status != 0 && killed.seconds < 60, "\(killed)")
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
            #expect(expected.count == 6)
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

    /// Losses of the first steps and the final checkpoint's checksums.
    private func outcome(ranks: Int, _ settings: [String]) throws -> (losses: [Double], checksums: [String]) {
        var outcome: (losses: [Double], checksums: [String]) = ([], [])
        try SmallRun.with { run in
            let result = try run.train(ranks: ranks, settings)
            #expect(result.status == 0, "\(result)")
            outcome = (try run.losses(), try run.shardChecksums(step: 4))
            #expect(outcome.losses.count == 4 && outcome.checksums.count == ranks)
        }
        return outcome
    }

    private func largestDifference(_ a: [Double], _ b: [Double]) -> Double {
        zip(a, b).map { abs($0 - $1) / abs($1) }.max() ?? .infinity
    }

    /// Rounding to 8 bits moves the loss of these steps by a hundredth at most, and never by chance.
    @Test func bfloat16IsRepeatableAndNearFloat32() throws {
        let full = try outcome(ranks: 2, ["precision=float32"])
        let halved = try outcome(ranks: 2, ["precision=bfloat16"])
        let again = try outcome(ranks: 2, ["precision=bfloat16"])
        let alone = try outcome(ranks: 1, ["precision=bfloat16"])
        let wire = try outcome(ranks: 2, ["precision=bfloat16", "parallel.wire=bfloat16"])
        #expect(halved == again && halved.losses.count == 4)
        #expect(halved.losses != full.losses && halved.losses != wire.losses)
        for (title, losses) in [("float32", full), ("one rank", alone), ("bfloat16 messages", wire)] {
            #expect(largestDifference(losses.losses, halved.losses) < 2e-2, "\(title): \(losses), \(halved)")
        }
    }

    @Test func threadsChangeNoMoreThanRounding() throws {
        let one = try outcome(ranks: 1, ["parallel.threads=1"]), two = try outcome(ranks: 1, ["parallel.threads=2"])
        #expect(largestDifference(two.losses, one.losses) < 1e-4, "\(one), \(two)")
        #expect(try outcome(ranks: 1, ["parallel.threads=2"]) == two)
    }
}
