import Foundation
import MessagePassing
import TestSupport
import Testing
import Training

/// Whatever becomes of who reads a run's output, the run loses nothing.
@Suite(.serialized) struct ReaderTests {
    /// The program under bash, its output in a pipe to `reader`; the status is the program's.
    private func train(_ run: SmallRun, _ settings: [String], reader: String) throws -> ProcessResult {
        let program = [try MPILauncher.product("pixpro"), "train"]
        return try MPILauncher.alone {
            try runProcess(
                "/bin/bash",
                ["-c", "\"$@\" 2>&1 | \(reader); exit ${PIPESTATUS[0]}", "bash"] + program + run.arguments(settings),
                environment: MPILauncher.environment, timeLimit: 60)
        }
    }

    @Test func aReaderThatLeavesDoesNotEndTheRun() throws {
        try SmallRun.with { run in
            let result = try train(run, ["schedule.steps=3", "log.everySeconds=0.001"], reader: "head -n 2")
            #expect(result.status == 0 && result.output.split(separator: "\n").count == 2, "\(result)")
            #expect(try run.losses().count == 3 && run.shardChecksums(step: 3).count == 1)
        }
    }

    /// Ctrl-C at `pixpro train … | tee log` ends tee as well.
    @Test func anInterruptAfterTheReaderHasLeftSaves() throws {
        try SmallRun.with { run in
            let (result, _) = try whileRunning { wait in
                wait { run.steps >= 2 }
                return kill(try #require(run.processes.last).id, SIGINT)
            } _: {
                try train(run, ["schedule.steps=400", "log.everySeconds=0.001"], reader: "head -n 1")
            }
            #expect(result.status == stoppedExitStatus && !result.timedOut, "\(result)")
            let steps = try run.losses().count
            #expect(steps >= 2 && steps < 400)
            #expect(try run.shardChecksums(step: steps).count == 1)
            let log = try String(contentsOfFile: run.run + "/log.txt", encoding: .utf8)
            #expect(log.contains("stopped by SIGINT after step \(steps), which is saved"))
        }
    }

    /// A pager that shows its first page: the pipe to it is full.
    @Test func aReaderThatWaitsDoesNotHoldTheRunUp() throws {
        try SmallRun.with { run in
            let program = Process(), pipe = Pipe()
            // F_SETPIPE_SZ: one page, the least there is.
            try #require(fcntl(pipe.fileHandleForWriting.fileDescriptor, 1031, 4096) == 4096)
            program.executableURL = URL(fileURLWithPath: try MPILauncher.product("pixpro"))
            program.arguments =
                ["train"]
                + run.arguments(
                    ["data.imageSize=32", "batch.global=2", "schedule.steps=40", "log.everySeconds=0.001"])
            program.environment = ProcessInfo.processInfo.environment.merging(MPILauncher.environment) { $1 }
            (program.standardOutput, program.standardError) = (FileHandle.nullDevice, pipe)
            try program.run()
            let hasEnded = holds(within: 120) { !program.isRunning }
            if !hasEnded { kill(program.processIdentifier, SIGKILL) }
            program.waitUntilExit()
            #expect(hasEnded && program.terminationStatus == 0)
            let log = try String(contentsOfFile: run.run + "/log.txt", encoding: .utf8)
            #expect(log.contains("finished after 40 steps"), "\(log)")
        }
    }

    /// A full disk is no reader that left.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "needs /dev/full"))
    func outputThatCannotBeWrittenIsAnError() throws {
        let result = try runProcess(
            "/bin/bash", ["-c", "\(try MPILauncher.product("pixpro")) train --keys >/dev/full"],
            environment: MPILauncher.environment, timeLimit: 30)
        #expect(result.status == 1 && result.errorOutput.contains("No space left on device"), "\(result)")
    }

    @Test func shortCommandsEndQuietly() throws {
        let program = try MPILauncher.product("pixpro")
        for (command, status) in [("train --keys", 0), ("data scan \(SmallRun.data)/images/train", 0), ("--help", 0)] {
            let result = try runProcess(
                "/bin/bash", ["-c", "\(program) \(command) | true; exit ${PIPESTATUS[0]}"],
                environment: MPILauncher.environment, timeLimit: 30)
            #expect(result.status == status, "\(command): \(result)")
        }
    }
}
