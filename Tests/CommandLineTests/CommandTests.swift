import Checkpointing
import Foundation
import SystemPackage
import TestSupport
import Testing
import Training

@Suite(.serialized) struct CommandTests {
    private func pixpro(_ arguments: String...) throws -> ProcessResult { try pixpro(arguments) }

    private func pixpro(_ arguments: [String]) throws -> ProcessResult {
        try runProcess(
            try MPILauncher.product("pixpro"), arguments, environment: MPILauncher.environment, timeLimit: 120)
    }

    @Test func aRunLeavesFilesThatAPersonCanReadAndABackboneThatLoads() throws {
        try SmallRun.with { run in
            let data = SmallRun.data
            let result = try run.train(
                ranks: 2,
                [
                    "schedule.epochs=1", "schedule.warmupEpochs=0", "schedule.steps=null", "evaluation.everyEpochs=1",
                    "evaluation.classification.train=\(data)/images/train",
                    "evaluation.classification.validation=\(data)/images/val",
                    "evaluation.segmentation.train.images=\(data)/segmentation/train/images",
                    "evaluation.segmentation.train.labels=\(data)/segmentation/train/labels",
                    "evaluation.segmentation.validation.images=\(data)/segmentation/val/images",
                    "evaluation.segmentation.validation.labels=\(data)/segmentation/val/labels",
                    "evaluation.segmentation.classes=4",
                ], timeLimit: 150)
            #expect(result.status == 0, "\(result)")
            for file in ["config.resolved.yaml", "log.txt", "metrics.jsonl", "report.html"] {
                #expect(FileManager.default.fileExists(atPath: run.run + "/" + file), "\(file) is missing")
            }
            let scores = try MetricsFile.read(FilePath(run.run + "/metrics.jsonl")).records.last {
                $0.kind == .evaluation
            }
            let names = try #require(scores).values.keys
            for part in ["knn", "linear", "segmentation", "correspondence"] {
                #expect(names.contains { $0.contains(part) && !$0.hasSuffix("Random") }, "no \(part) among \(names)")
                #expect(names.contains { $0.contains(part) && $0.hasSuffix("Random") }, "no floor of \(part)")
            }
            // Off a terminal nothing is redrawn.
            #expect(!result.errorOutput.contains("\r"))

            let exported = run.directory + "/backbone.safetensors"
            let export = try pixpro("export", run.run, "--output", exported)
            #expect(export.status == 0, "\(export)")
            let file = try SafetensorsFile(path: FilePath(exported))
            #expect(file.description(of: "conv1.weight")?.shape == [64, 3, 7, 7])
            #expect(file.description(of: "layer4.1.bn2.num_batches_tracked")?.shape == [])
            #expect(file.metadata["architecture"] == "resnet18" && file.metadata["mean"] == "0.485,0.456,0.406")
            #expect(file.tensors.count == 20 * 6)

            let listed = try pixpro("checkpoint", "list", run.run),
                checked = try pixpro("checkpoint", "verify", run.run)
            #expect(listed.status == 0 && listed.output.contains("step 2 "), "\(listed)")
            #expect(checked.status == 0 && checked.output.hasPrefix("ok"), "\(checked)")
            // A step that is not there: which there are.
            for arguments in [["export", "--output", exported + "2"], ["evaluate"], ["checkpoint", "verify"]] {
                let missing = try pixpro(arguments + [run.run, "--step", "7"])
                #expect(missing.status != 0 && missing.seconds < 5, "\(missing)")
                #expect(
                    missing.errorOutput.contains(
                        "no checkpoint of step 7 in \(run.run)/checkpoints; there are those of step 2"), "\(missing)")
            }
            let one = try pixpro("checkpoint", "verify", run.run, "--step", "2")
            #expect(one.status == 0 && one.output == checked.output, "\(one)")
            let evaluated = try pixpro("evaluate", run.run, "--set", "evaluation.correspondence=false")
            #expect(evaluated.status == 0 && evaluated.output.contains("segmentation"), "\(evaluated)")
        }
    }

    @Test(
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script"), "needs script(1) for a terminal"))
    func onATerminalOneLineLivesUnderMpirunToo() throws {
        try SmallRun.with { run in
            let program = try MPILauncher.product("pixpro")
            let settings = (SmallRun.defaults + ["run.directory=\(run.run)", "schedule.steps=2"])
                .map { "--set \($0)" }.joined(separator: " ")
            let command =
                "mpirun --oversubscribe --bind-to none -n 2 \(program) train \(settings) \(SmallRun.data)/images/train"
            let result = try runProcess(
                "/usr/bin/script", ["-qec", command, "/dev/null"],
                environment: MPILauncher.environment.merging(["TERM": "xterm"]) { $1 }, timeLimit: 60)
            #expect(result.status == 0, "\(result)")
            #expect(result.output.contains("\r\u{1b}[K"), "nothing was redrawn: \(result)")
            #expect(try run.losses().count == 2)
        }
    }

    @Test func doctorReports() throws {
        let result = try MPILauncher.run(
            "pixpro", ranks: 2, ["doctor", "--set", "parallel.oversubscribe=true"], timeLimit: 30)
        #expect(
            result.status == 0 && result.output.contains("Open MPI") && result.output.contains("OpenBLAS"), "\(result)")
        #expect(result.output.contains("/libmpi.so."), "\(result)")
        #expect(result.output.contains(/mpirun started 2 ranks, which fits the library/), "\(result)")
    }

    /// Each of them would train the whole run.
    @Test func processesThatMPIDoesNotJoinAreRefused() throws {
        try SmallRun.with { run in
            for rank in ["0", "1"] {
                let result = try runProcess(
                    try MPILauncher.product("pixpro"), ["train"] + run.arguments(),
                    environment: MPILauncher.environment.merging([
                        "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": rank,
                    ]) { $1 }, timeLimit: 30)
                #expect(result.status == 78 && !FileManager.default.fileExists(atPath: run.run), "\(result)")
                let start = "pixpro: error: srun without PMIx started 2 processes together, but Open MPI "
                #expect(rank == "0" ? result.errorOutput.hasPrefix(start) : result.errorOutput.isEmpty, "\(result)")
            }
        }
    }

    @Test func packedShardsTrainLikeTheFolder() throws {
        try SmallRun.with { run in
            let shards = run.directory + "/shards"
            let packed = try pixpro("data", "pack", SmallRun.data + "/images/train", "--output", shards)
            #expect(packed.status == 0, "\(packed)")
            let folder = try run.train(ranks: 1, ["schedule.steps=2"])
            #expect(folder.status == 0, "\(folder)")
            let losses = try run.losses()
            let tar = SmallRun(directory: run.directory + "/tar")
            let result = try tar.train(ranks: 1, ["schedule.steps=2"], images: [shards])
            #expect(result.status == 0, "\(result)")
            #expect(try tar.losses() == losses)
        }
    }

    @Test func scanCounts() throws {
        let result = try pixpro("data", "scan", SmallRun.data + "/images/train")
        #expect(result.status == 0 && result.output.contains("30 images are used, 0 skipped"), "\(result)")
    }

    @Test func keysAreListed() throws {
        let result = try pixpro("train", "--keys")
        #expect(
            result.status == 0 && result.output.contains("batch.global") && result.output.contains("method.dialect"))
        for (task, key) in [("segmentation", "data.layout"), ("detection", "detection.convention")] {
            let own = try pixpro("train", "--keys", "--set", "task=\(task)")
            #expect(own.status == 0 && own.output.contains(key) && !own.output.contains("method.dialect"), "\(own)")
            #expect(own.output.contains("batch.global: a whole number from 1 to 1048576 or null, default 16"))
        }
    }

    @Test func everyShippedConfigurationIsRead() throws {
        let folder = SmallRun.project + "/configs"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".yaml") }
        #expect(files.count >= 9)
        for file in files {
            let plan = try pixpro("plan", "--ranks", "2", "--config", folder + "/" + file)
            #expect(plan.status == 0 && plan.output.contains("ranks=2"), "\(file): \(plan)")
        }
    }
}
