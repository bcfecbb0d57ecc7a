import Foundation
import SystemPackage
import TestSupport
import Testing
import Training

/// A tiny data set and configuration with which the program is run as users run it.
struct SmallRun {
    /// Drawn once for all tests, and removed after the last: 3 classes of 10 pictures, 6 labelled pictures.
    static let data: String = {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "pixpro-test-data-\(ProcessInfo.processInfo.processIdentifier)"
        ).path
        do {
            let result = try runProcess(
                try MPILauncher.product("pixpro"),
                [
                    "data", "synthesize", path, "--classes", "3", "--train-per-class", "10", "--validation-per-class",
                    "4", "--segmentation-train", "6", "--segmentation-validation", "4", "--size", "72",
                ], timeLimit: 60)
            precondition(result.status == 0, "cannot draw the test pictures: \(result)")
            // Only litter in the temporary folder.
            atexit { try? FileManager.default.removeItem(atPath: SmallRun.data) }
        } catch {
            preconditionFailure("cannot draw the test pictures: \(error)")
        }
        return path
    }()

    /// The cores that a rank on its own may use.
    static var cores: Int {
        let mask = CoreMask.ofThisProcess()
        return max(1, Int(min(Double(mask.cores.count), mask.quota ?? .infinity)))
    }

    let directory: String
    /// Where the run keeps its files.
    var run: String { directory + "/run" }

    /// Six updates an epoch need more pictures than there are: the batch is small.
    static let defaults = [
        "data.imageSize=64", "model.architecture=resnet18", "model.projectorWidth=64", "batch.global=12",
        "schedule.epochs=40", "schedule.warmupEpochs=2", "schedule.steps=4", "checkpoint.everySteps=100",
        "evaluation.everyEpochs=0", "parallel.oversubscribe=true", "data.workers=0", "parallel.threads=1",
        // The same numbers on any machine: by itself a run takes bfloat16 where that is the faster one.
        "precision=float32",
        // Tests that stop and go on are of the disk, unless they say otherwise.
        "checkpoint.memorySeconds=0",
    ]

    func train(
        ranks: Int, _ settings: [String] = [], images: [String] = [SmallRun.data + "/images/train"],
        timeLimit: Double = 90
    ) throws -> ProcessResult {
        try MPILauncher.run("pixpro", ranks: ranks, ["train"] + arguments(settings, images), timeLimit: timeLimit)
    }

    /// What `train` is given.
    func arguments(_ settings: [String] = [], _ images: [String] = [SmallRun.data + "/images/train"]) -> [String] {
        (Self.defaults + ["run.directory=\(run)"] + settings).flatMap { ["--set", $0] } + images
    }

    /// The project's folder.
    static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Trains by launch/train on this machine, alone.
    func launch(
        ranks: Int, _ options: [String] = [], _ settings: [String], timeLimit: Double = 120
    ) throws -> ProcessResult {
        let program = ["--program", try MPILauncher.product("pixpro"), "--ranks-per-host", "\(ranks)"]
        return try MPILauncher.alone {
            try runProcess(
                Self.project + "/launch/train", program + options + arguments(settings),
                environment: MPILauncher.environment, timeLimit: timeLimit)
        }
    }

    /// What `with` gives, with a run of one step in it.
    static func withTrained(_ body: (SmallRun) throws -> Void) throws {
        try with { run in
            try FileManager.default.copyItem(atPath: try trained.get().run, toPath: run.run)
            try body(run)
        }
    }

    /// Trained once for all tests that only need a checkpoint.
    private static let trained = Result {
        let run = SmallRun(directory: data + "/trained")
        try FileManager.default.createDirectory(atPath: run.directory, withIntermediateDirectories: true)
        let result = try run.train(ranks: 1, ["schedule.steps=1"])
        try #require(result.status == 0, "\(result)")
        return run
    }

    /// The loss of every step, in order.
    func losses() throws -> [Double] {
        try MetricsFile.read(FilePath(run + "/metrics.jsonl")).records.filter { $0.kind == .train }.map {
            $0.values["loss"]!
        }
    }

    /// The checksum of every shard of the checkpoint of a step.
    func shardChecksums(step: Int) throws -> [String] {
        let path = run + "/checkpoints/step-" + String(format: "%08d", step)
        let manifest = try String(contentsOfFile: path + "/manifest.json", encoding: .utf8)
        return manifest.matches(of: /"bytes": \d+, "crc32c": "([0-9a-f]{8})"/).map { String($0.1) }
    }

    static func with(_ body: (SmallRun) throws -> Void) throws {
        try withTemporaryDirectory { try body(SmallRun(directory: $0)) }
    }
}
