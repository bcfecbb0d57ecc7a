import Foundation
import SystemPackage
import TestSupport
import Testing
import Training

/// Runs that go on from the memory of their host.
@Suite(.serialized) struct MemoryRunTests {
    private func settings(_ run: SmallRun, steps: Int) -> [String] {
        [
            "checkpoint.memorySeconds=1", "data.imageSize=32", "batch.global=4",
            "checkpoint.memoryDirectory=\(run.directory)/memory",
            "checkpoint.everySteps=1000", "schedule.steps=\(steps)",
        ]
    }

    /// The steps of the checkpoints in memory that are complete.
    private func stepsInMemory(_ run: SmallRun) -> [Int] {
        let path = run.directory + "/memory"
        // Folders come and go while they are looked at.
        let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix("/manifest.json") }.compactMap { name in
            name.split(separator: "/").dropLast().last.flatMap { Int($0.dropFirst("step-".count)) }
        }
    }

    /// kill -9 where there is no checkpoint on disk yet: the run goes on from memory, and ends as one that was left alone.
    @Test func aKilledRunGoesOnFromMemoryBitForBit() throws {
        try SmallRun.with { run in
            try FileManager.default.createDirectory(
                atPath: run.directory + "/memory", withIntermediateDirectories: true)
            let (killed, step) = try whileRunning { wait in
                wait { run.steps >= 3 && (stepsInMemory(run).max() ?? 0) >= 2 }
                kill(try run.process(rank: 1).id, SIGKILL)
                return run.steps
            } _: {
                try run.train(ranks: 2, settings(run, steps: 200), timeLimit: 180)
            }
            #expect(killed.status != 0 && step >= 3, "\(killed)")
            #expect(!FileManager.default.fileExists(atPath: run.run + "/checkpoints/step-00000001"))
            let steps = run.steps + 2
            let resumed = try run.train(ranks: 2, settings(run, steps: steps))
            #expect(resumed.status == 0, "\(resumed)")
            #expect(resumed.errorOutput.contains(" in the memory of 1 host: step "), "\(resumed)")
            #expect(resumed.errorOutput.contains("goodput 0."), "\(resumed)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: run.directory + "/memory") == [])
            let last = try #require(try MetricsFile.read(FilePath(run.run + "/metrics.jsonl")).records.last)
            #expect(last.kind == .end && last.values["starts"] == 2 && (last.values["goodput"] ?? 0) > 0, "\(last)")
            let page = try String(contentsOfFile: run.run + "/report.html", encoding: .utf8)
            #expect(page.contains("steps that counted"))
            let whole = SmallRun(directory: run.directory + "/whole")
            #expect(
                try whole.train(ranks: 2, settings(run, steps: steps) + ["checkpoint.memorySeconds=0"]).status
                    == 0)
            #expect(try whole.losses() == run.losses() && run.losses().count == steps)
            #expect(try whole.shardChecksums(step: steps) == run.shardChecksums(step: steps))
        }
    }

    /// Memory that is too small is said, and training goes on.
    @Test func memoryThatIsTooSmallIsSaid() throws {
        try SmallRun.with { run in
            let result = try run.train(ranks: 1, settings(run, steps: 1) + ["checkpoint.memoryLimit=1"])
            #expect(result.status == 0, "\(result)")
            #expect(result.errorOutput.contains("no checkpoints in memory: they take "), "\(result)")
            #expect(stepsInMemory(run).isEmpty)
        }
    }

    @Test func aFolderThatCannotBeMadeIsNamed() throws {
        try SmallRun.with { run in
            try "".write(toFile: run.directory + "/memory", atomically: true, encoding: .utf8)
            let result = try run.train(ranks: 1, settings(run, steps: 1))
            #expect(result.status == 0, "\(result)")
            #expect(
                result.errorOutput.contains("no checkpoints in memory: rank 0: \(run.directory)/memory: cannot create"),
                "\(result)")
        }
    }
}
