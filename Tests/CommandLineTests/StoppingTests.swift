import Foundation
import MessagePassing
import TestSupport
import Testing
import Training

/// Runs that are asked to stop, shut out, or fed numbers that are not finite.
@Suite(.serialized) struct StoppingTests {
    /// Starts two ranks, waits for the first steps, sends a signal to mpirun and returns how the job ended.
    private func stopped(_ run: SmallRun, by signals: [Int32], _ settings: [String] = []) throws -> ProcessResult {
        let sender = Thread {
            let deadline = Date() + 60
            func steps() -> Int { (try? run.losses().count) ?? 0 }  // no file yet
            while Date() < deadline, steps() < 3 { usleep(20_000) }
            for (index, signal) in signals.enumerated() {
                if index > 0 { sleep(3) }
                // The run's own launcher: the oldest process that names its directory.
                print("DEBUG", steps(), (try? runProcess("/usr/bin/pkill", ["-\(signal)", "-o", "-x", "-f", "mpirun .*run.directory=\(run.run) .*"])) as Any)
            }
        }
        sender.start()
        return try run.train(ranks: 2, ["schedule.steps=12"] + settings)
    }

    @Test func aSignalSavesAndTheRunGoesOnBitForBit() throws {
        try SmallRun.with { run in
            let result = try stopped(run, by: [SIGUSR1])
            #expect(result.status == stoppedExitStatus && !result.timedOut, "\(result)")
            #expect(result.errorOutput.contains("stopped by SIGUSR1 after step "), "\(result)")
            let done = try run.losses().count
            #expect(done >= 3 && done < 400)
            let steps = done + 2
            let resumed = try run.train(ranks: 2, ["schedule.steps=\(steps)"])
            #expect(resumed.status == 0 && resumed.errorOutput.contains("step \(done), epoch"), "\(resumed)")
            let losses = try run.losses()
            let whole = SmallRun(directory: run.directory + "/whole")
            #expect(try whole.train(ranks: 2, ["schedule.steps=\(steps)"]).status == 0)
            #expect(try whole.losses() == losses && losses.count == steps)
            #expect(try whole.shardChecksums(step: steps) == run.shardChecksums(step: steps))
        }
    }

    @Test func twoJobsOnOneDirectoryAndAVanishedDirectory() throws {
        try SmallRun.with { run in
            let second = Handover()
            let intruder = Thread {
                let deadline = Date() + 60
                while Date() < deadline, ((try? run.losses().count) ?? 0) < 1 { usleep(20_000) }
                // Started beside the launcher's queue, which holds one job at a time.
                let arguments = ["train"] + (SmallRun.defaults + ["run.directory=\(run.run)"]).flatMap { ["--set", $0] }
                second.result = try? runProcess(
                    try MPILauncher.product("pixpro"), arguments + [SmallRun.data + "/images/train"],
                    environment: MPILauncher.environment, timeLimit: 40)
                try? FileManager.default.moveItem(atPath: run.run, toPath: run.run + "-moved")
            }
            intruder.start()
            let result = try run.train(ranks: 2, ["schedule.steps=20", "checkpoint.everySteps=20"])
            // The last checkpoint has no directory to go to: said, and no success.
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(result.errorOutput.contains("is no longer the directory that this run began in"), "\(result)")
            let refused = try #require(second.result)
            #expect(refused.status == errorExitStatus && refused.seconds < 30, "\(refused)")
            #expect(refused.errorOutput.contains("another job trains in \(run.run) (host "), "\(refused)")
        }
    }

    @Test func numbersThatAreNotFiniteAreSkippedAndThenStopTheRun() throws {
        try SmallRun.with { run in
            let settings = ["optimizer.name=sgd", "optimizer.baseLearningRate=1e30", "schedule.warmupEpochs=0"]
            let result = try run.train(ranks: 2, settings + ["schedule.steps=20", "numbers.skipLimit=2"])
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(result.errorOutput.contains("is skipped (2 in a row, at most 2)"), "\(result)")
            #expect(result.errorOutput.contains("is not finite; its 24 images: \(SmallRun.data)/images/train/"), "\(result)")
            let named = try String(contentsOfFile: run.run + "/nonfinite.txt", encoding: .utf8)
            #expect(named.split(separator: "\n").count == 48, "\(named)")
            let stopping = SmallRun(directory: run.directory + "/stop")
            let stopped = try stopping.train(ranks: 2, settings + ["schedule.steps=20", "numbers.nonFinite=stop"])
            #expect(stopped.status == errorExitStatus && !stopped.errorOutput.contains("skipped"), "\(stopped)")
        }
    }

    @Test func otherSettingsOnOneRankAreRefused() throws {
        try SmallRun.with { run in
            let program = try MPILauncher.product("pixpro")
            func arguments(_ seed: Int) -> [String] {
                [program, "train"] + (SmallRun.defaults + ["run.directory=\(run.run)", "run.seed=\(seed)"]).flatMap { ["--set", $0] }
                    + [SmallRun.data + "/images/train"]
            }
            let result = try runProcess(
                "/usr/bin/env",
                ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "1"] + arguments(1) + [":", "-n", "1"] + arguments(2),
                environment: MPILauncher.environment, timeLimit: 30)
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(result.errorOutput.contains("run.seed is 1 on ") && result.errorOutput.contains("(rank 1)"), "\(result)")
        }
    }
}

/// Handed from one thread to another that waits for it.
private final class Handover: @unchecked Sendable {
    // @unchecked: written before the job that the reader waits for can end.
    var result: ProcessResult?
}
