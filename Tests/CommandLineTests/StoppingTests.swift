import Foundation
import MessagePassing
import TestSupport
import Testing
import Training

/// Runs that are asked to stop, shut out, or fed numbers that are not finite.
@Suite(.serialized) struct StoppingTests {
    @Test func aSignalSavesAndTheRunGoesOnBitForBit() throws {
        try SmallRun.with { run in
            let (result, _) = try whileRunning { wait in
                wait { run.steps >= 3 }
                return kill(try run.process().id, SIGUSR1)
            } _: {
                try run.train(ranks: 2, ["schedule.steps=12"])
            }
            #expect(result.status == stoppedExitStatus && !result.timedOut, "\(result)")
            #expect(result.errorOutput.contains("stopped by SIGUSR1 after step "), "\(result)")
            let done = try run.losses().count
            #expect(done >= 3 && done < 12)
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

    /// MPI starts, pictures are listed, a checkpoint is loaded: nothing has been learned that could be lost.
    @Test(arguments: [SIGTERM, SIGINT, SIGUSR1])
    func aSignalBeforeTheFirstStepLeavesAtOnce(_ signal: Int32) throws {
        try SmallRun.with { run in
            let (result, sent) = try whileRunning { wait in
                // The watchdog's thread comes just before MPI.
                wait { (run.processes.first?.threads ?? 0) > 1 }
                kill(try run.process().id, signal)
                return Date()
            } _: {
                try MPILauncher.alone {
                    try runProcess(
                        try MPILauncher.product("pixpro"), ["train"] + run.arguments(["schedule.steps=200"]),
                        environment: MPILauncher.environment, timeLimit: 60)
                }
            }
            #expect(result.status == stoppedExitStatus && -sent.timeIntervalSinceNow < 10, "\(result)")
            #expect(
                result.errorOutput.hasSuffix("stopped by a signal before the first step: nothing is lost\n"),
                "\(result)")
            #expect(run.steps == 0)
        }
    }

    /// A rank that does not move keeps the first signal from being obeyed; the second does not wait for it.
    @Test(arguments: [true, false])
    func aSecondSignalEndsAllRanksAtOnce(byLaunchTrain: Bool) throws {
        try SmallRun.with { run in
            let signal = byLaunchTrain ? SIGTERM : SIGUSR1
            let (result, ending) = try whileRunning { wait in
                wait { run.steps >= 2 }
                let launcher = try run.process().id
                kill(try run.process(rank: 1).id, SIGSTOP)
                kill(launcher, signal)
                sleep(3)
                let living = run.processes.compactMap(\.rank).sorted()
                kill(launcher, signal)
                let second = Date()
                let areGone = holds(within: 20) { run.processes.isEmpty }
                return (living: living, areGone: areGone, seconds: -second.timeIntervalSinceNow)
            } _: {
                let settings = ["schedule.steps=100"]
                return byLaunchTrain
                    ? try run.launch(ranks: 2, ["--restart", "3"], settings) : try run.train(ranks: 2, settings)
            }
            #expect(ending.living == [0, 1] && ending.areGone && ending.seconds < 8, "\(ending): \(result)")
            #expect(result.status > 0 && result.status != stoppedExitStatus && !result.timedOut, "\(result)")
        }
    }

    @Test func twoJobsOnOneDirectoryAndAVanishedDirectory() throws {
        try SmallRun.with { run in
            let (result, refused) = try whileRunning { wait in
                wait { run.steps >= 1 }
                // Started beside the launcher's queue, which holds one job at a time.
                let second = try runProcess(
                    try MPILauncher.product("pixpro"), ["train"] + run.arguments(),
                    environment: MPILauncher.environment, timeLimit: 40)
                try FileManager.default.moveItem(atPath: run.run, toPath: run.run + "-moved")
                return second
            } _: {
                try run.train(ranks: 2, ["batch.global=24", "schedule.steps=60", "checkpoint.everySteps=60"])
            }
            // The last checkpoint has no directory to go to: said, and no success.
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(result.errorOutput.contains("is no longer the directory that this run began in"), "\(result)")
            #expect(refused.status == errorExitStatus && refused.seconds < 30, "\(refused)")
            #expect(refused.errorOutput.contains("another job trains in \(run.run) (host "), "\(refused)")
        }
    }

    @Test func numbersThatAreNotFiniteAreSkippedAndThenStopTheRun() throws {
        try SmallRun.with { run in
            let settings = [
                "optimizer.name=sgd", "optimizer.baseLearningRate=1000", "optimizer.weightDecay=10",
                "schedule.warmupEpochs=0",
            ]
            let result = try run.train(ranks: 2, settings + ["schedule.steps=20", "numbers.skipLimit=2"])
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(result.errorOutput.contains("is skipped (2 in a row, at most 2)"), "\(result)")
            #expect(
                result.errorOutput.contains("is not finite; its 12 images: \(SmallRun.data)/images/train/"), "\(result)"
            )
            let named = try String(contentsOfFile: run.run + "/nonfinite.txt", encoding: .utf8)
            #expect(named.split(separator: "\n").count == 24, "\(named)")
            let stopping = SmallRun(directory: run.directory + "/stop")
            let stopped = try stopping.train(ranks: 2, settings + ["schedule.steps=20", "numbers.nonFinite=stop"])
            #expect(stopped.status == errorExitStatus && !stopped.errorOutput.contains("skipped"), "\(stopped)")
        }
    }

    @Test func otherSettingsOnOneRankAreRefused() throws {
        try SmallRun.with { run in
            let program = try MPILauncher.product("pixpro")
            func arguments(_ seed: Int) -> [String] { [program, "train"] + run.arguments(["run.seed=\(seed)"]) }
            let result = try MPILauncher.alone {
                try runProcess(
                    "/usr/bin/env",
                    ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "1"] + arguments(1) + [":", "-n", "1"]
                        + arguments(2), environment: MPILauncher.environment, timeLimit: 30)
            }
            #expect(result.status == errorExitStatus, "\(result)")
            #expect(
                result.errorOutput.contains("run.seed is 1 on ") && result.errorOutput.contains("(rank 1)"), "\(result)"
            )
        }
    }
}
