import Foundation
import TestSupport
import Testing
import Training

@Suite(.serialized) struct TrainingOverRanksTests {
    @Test func theSameBatchGivesTheSameLossesOnAnyNumberOfRanks() throws {
        let alone = try Outcome.of(ranks: 1)
        for ranks in 2...4 {
            let together = try Outcome.of(ranks: ranks)
            #expect(together.difference(from: alone) <= 1e-4, "\(ranks) ranks: \(together), 1 rank: \(alone)")
        }
    }

    /// Batches that ranks share evenly or not, in one micro-batch or two: the micro-batches decide the numbers.
    @Test(arguments: [(12, 2, [1, 5]), (13, 1, [1, 2, 4]), (13, 2, [1, 3])])
    func unevenSharesGiveTheSameLosses(_ images: Int, _ microBatches: Int, _ numbers: [Int]) throws {
        func outcome(_ ranks: Int) throws -> Outcome {
            let atOnce = (images + microBatches * ranks - 1) / (microBatches * ranks)
            return try Outcome.of(ranks: ranks, ["batch.global=\(images)", "batch.microBatch=\(atOnce)"])
        }
        let alone = try outcome(numbers[0])
        for ranks in numbers.dropFirst() {
            let together = try outcome(ranks)
            #expect(abs(together.losses[0] - alone.losses[0]) <= 1e-6 * max(1, abs(alone.losses[0])))
            #expect(together.difference(from: alone) <= 1e-4, "\(ranks) ranks: \(together), 1 rank: \(alone)")
        }
        if microBatches > 1 {
            let other = try Outcome.of(ranks: 1, ["batch.global=\(images)"])
            #expect(alone.difference(from: other) > 1e-4, "one micro-batch has other statistics than two")
        }
    }

    @Test func overlappedAndInlineCommunicationAreBitwiseEqual() throws {
        let inline = try Outcome.of(ranks: 2, ["parallel.communication=inline"])
        #expect(try Outcome.of(ranks: 2, ["parallel.communication=overlapped"]) == inline)
    }

    @Test func interleavedPassesAndPassesInTurnAreBitwiseEqual() throws {
        let inTurn = try Outcome.of(ranks: 2, ["parallel.passes=inTurn"])
        #expect(try Outcome.of(ranks: 2, ["parallel.passes=interleaved"]) == inTurn)
    }

    /// Of parameters that levels share the contributions of both views are added in another order.
    @Test func interleavedPassesOfAPyramidAreEqualButForRounding() throws {
        let pyramid = ["method.pyramid.levels=[4, 5]", "method.pyramid.channels=32", "method.pyramid.towerDepth=1"]
        let inTurn = try Outcome.of(ranks: 2, pyramid + ["parallel.passes=inTurn"])
        let interleaved = try Outcome.of(ranks: 2, pyramid + ["parallel.passes=interleaved"])
        #expect(interleaved.losses[0] == inTurn.losses[0])
        #expect(interleaved.difference(from: inTurn) < 1e-5, "\(interleaved), \(inTurn)")
    }

    /// A run keeps its micro-batches, also where the configuration alone would cut too finely for its ranks.
    @Test func aRunOfSingleImagesGoesOnWithoutARank() throws {
        try SmallRun.with { run in
            let settings = ["batch.global=4", "batch.microBatch=1"]
            #expect(try run.train(ranks: 4, settings + ["schedule.steps=2"]).status == 0)
            let resumed = try run.train(ranks: 3, settings + ["schedule.steps=4"])
            #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
            #expect(try run.losses().count == 4)
        }
    }

    @Test func loaderThreadsDoNotChangeTheNumbers() throws {
        #expect(try Outcome.of(ranks: 1, ["data.workers=2"]) == Outcome.of(ranks: 1))
    }

    @Test func aKilledRunGoesOnBitForBit() throws {
        let expected = try Outcome.of(ranks: 2, ["checkpoint.everySteps=3"], steps: 6)
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
            let resumed = try run.train(ranks: 2, ["checkpoint.everySteps=3", "schedule.steps=6"])
            #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
            #expect(try Outcome(of: run, ranks: 2, steps: 6) == expected)
        }
    }

    @Test func aRunGoesOnAtAnotherNumberOfRanks() throws {
        let expected = try Outcome.of(ranks: 2, ["checkpoint.everySteps=3"], steps: 6)
        try SmallRun.with { first in
            #expect(try first.train(ranks: 2, ["schedule.steps=3"]).status == 0)
            for ranks in [1, 3] {
                let run = SmallRun(directory: "\(first.directory)/\(ranks)")
                try FileManager.default.createDirectory(atPath: run.directory, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: first.run, toPath: run.run)
                let resumed = try run.train(ranks: ranks, ["schedule.steps=6"])
                #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
                let outcome = try Outcome(of: run, ranks: ranks, steps: 6)
                #expect(outcome.difference(from: expected) <= 1e-4, "\(ranks) ranks: \(outcome), \(expected)")
            }
        }
    }

    @Test func aRunThatGoesOnKeepsItsMicroBatchesUntilTheyAreSetAnew() throws {
        try SmallRun.with { run in
            let begun = try run.train(ranks: 2, ["batch.microBatch=3", "schedule.steps=1"])
            #expect(begun.errorOutput.contains("2 ranks × 3 images × 2 micro-batches"), "\(begun)")
            let kept = try run.train(ranks: 4, ["batch.microBatch=3", "schedule.steps=2"])
            #expect(kept.errorOutput.contains("4 ranks × 1 or 2 images × 2 micro-batches"), "\(kept)")
            let anew = try run.train(ranks: 4, ["batch.microBatch=4", "schedule.steps=3"])
            #expect(anew.errorOutput.contains("4 ranks × 3 images × 1 micro-batch ="), "\(anew)")
            #expect(anew.errorOutput.contains("batch.microBatch: 3 became 4"), "\(anew)")
            #expect(try run.losses().count == 3)
        }
    }

    /// Rounding to 8 bits moves the cosines of these steps by half a hundredth at most, and never by chance.
    @Test func bfloat16IsRepeatableAndNearFloat32() throws {
        // Of fewer images the statistics, and what rounding does to them, are further apart.
        let batch = "batch.global=24", halving = [batch, "precision=bfloat16"]
        let halved = try Outcome.of(ranks: 2, halving)
        #expect(try Outcome(training: 2, halving) == halved)
        let full = try Outcome.of(ranks: 2, [batch])
        let alone = try Outcome.of(ranks: 1, halving)
        let wire = try Outcome.of(ranks: 2, halving + ["parallel.wire=bfloat16"])
        #expect(halved.losses != full.losses && halved.losses != wire.losses)
        for (title, other) in [("float32", full), ("one rank", alone), ("bfloat16 messages", wire)] {
            // The first loss is of networks that know nothing: near zero, where a ratio says nothing.
            #expect(other.distance(from: halved) < 5e-3, "\(title): \(other), \(halved)")
        }
    }

    @Test func threadsChangeNoMoreThanRounding() throws {
        let two = try Outcome.of(ranks: 1, ["parallel.threads=2"])
        #expect(try two.difference(from: Outcome.of(ranks: 1)) < 1e-4, "\(two)")
        #expect(try Outcome(training: 1, ["parallel.threads=2"]) == two)
    }
}

/// What a run gave: the loss of every step, and the checksums of the last checkpoint's shards.
private struct Outcome: Equatable {
    let losses: [Double]
    let checksums: [String]

    /// Of a run that has ended after `steps`.
    init(of run: SmallRun, ranks: Int, steps: Int) throws {
        losses = try run.losses()
        checksums = try run.shardChecksums(step: steps)
        #expect(losses.count == steps && checksums.count == ranks, "\(losses), \(checksums)")
    }

    /// Trains in a folder of its own.
    init(training ranks: Int, _ settings: [String], steps: Int = 4) throws {
        var outcome: Outcome?
        try SmallRun.with { run in
            let result = try run.train(ranks: ranks, settings + ["schedule.steps=\(steps)"])
            #expect(result.status == 0, "\(result)")
            outcome = try Outcome(of: run, ranks: ranks, steps: steps)
        }
        self = outcome!
    }

    /// Those that were trained already; the tests run one after the other.
    nonisolated(unsafe) private static var known: [String: Outcome] = [:]

    /// Trains unless an earlier test did the same: equal settings give equal numbers, which tests of their own prove.
    static func of(ranks: Int, _ settings: [String] = [], steps: Int = 4) throws -> Outcome {
        let key = "\(ranks) \(steps) \(settings)"
        let outcome = try known[key] ?? Outcome(training: ranks, settings, steps: steps)
        known[key] = outcome
        return outcome
    }

    /// The largest difference of a loss, relative to the other's.
    func difference(from other: Outcome) -> Double { most(of: other) { abs($0 - $1) / abs($1) } }

    /// The largest difference of a loss, as it is.
    func distance(from other: Outcome) -> Double { most(of: other) { abs($0 - $1) } }

    private func most(of other: Outcome, _ difference: (Double, Double) -> Double) -> Double {
        guard losses.count == other.losses.count else { return .infinity }
        return zip(losses, other.losses).map(difference).max() ?? .infinity
    }
}
