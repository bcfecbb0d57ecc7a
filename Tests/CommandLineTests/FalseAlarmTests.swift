import Foundation
import TestSupport
import Testing

/// The limit on silence is a few seconds: nothing that ranks do may keep them silent for so long.
@Suite struct FalseAlarmTests {
    /// More ranks than cores, each with threads of its own, saving after every step and evaluating after every other.
    @Test func busyRanksAreHeard() throws {
        try SmallRun.with { run in
            let settings = [
                "parallel.threads=2", "parallel.communication=overlapped", "data.workers=2", "checkpoint.everySteps=1",
                "checkpoint.memorySeconds=1", "checkpoint.memoryDirectory=\(run.directory)/memory",
                "evaluation.everyEpochs=1", "schedule.steps=4",
            ]
            try FileManager.default.createDirectory(
                atPath: run.directory + "/memory", withIntermediateDirectories: true)
            let result = try MPILauncher.run(
                "pixpro", ranks: 4, ["train"] + run.arguments(settings), timeLimit: 120, isAlone: true)
            #expect(result.status == 0 && !result.errorOutput.contains("error: watchdog"), "\(result)")
            let log = try String(contentsOfFile: run.run + "/log.txt", encoding: .utf8)
            let longest = try #require(log.firstMatch(of: /no rank was silent for longer than ([0-9.]+) s/), "\(log)")
            // A limit that is nearly reached is too low.
            #expect(try #require(Double(longest.1)) < 3, "\(longest.0)")
        }
    }
}
