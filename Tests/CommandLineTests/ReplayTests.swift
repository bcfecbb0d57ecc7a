import Checkpointing
import Foundation
import MessagePassing
import SystemPackage
import TestSupport
import Testing
import Training

/// Steps whose numbers were not finite are saved, and done again by one rank or several, whatever is trained.
@Suite(.serialized) struct ReplayTests {
    /// A backbone with a layer whose products are more than float32 has.
    private static let start = Result {
        let path = SmallRun.data + "/overflowing.safetensors"
        try SmallRun.withTrained { run in
            let exported = try MPILauncher.run("pixpro", ranks: 1, ["export", run.run, "--output", path])
            try #require(exported.status == 0, "\(exported)")
        }
        let file = try SafetensorsFile(path: FilePath(path))
        let tensors = try file.tensors.map { try file.read($0.name) }
        let layer = try #require(tensors.first { $0.name == "layer2.0.conv2.weight" })
        layer.withMutableBytes { $0.bindMemory(to: Float.self).update(repeating: 3e38) }
        try SafetensorsFile.write(tensors, metadata: file.metadata, to: FilePath(path))
        return "model.start=" + path
    }

    private func replay(_ folder: String, ranks: Int, program: String = "pixpro") throws -> ProcessResult {
        try MPILauncher.run(program, ranks: ranks, ["replay", folder], timeLimit: 60)
    }

    /// The folders that a run has kept, in order.
    private func kept(_ run: SmallRun) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: run.run + "/nonfinite").sorted()
            .map { run.run + "/nonfinite/" + $0 }
    }

    @Test func anUpdateOfTwoRanksIsDoneAgainByOneAndNamed() throws {
        let start = try Self.start.get()
        try SmallRun.with { run in
            let settings = [
                start, "data.imageSize=32", "batch.global=6", "batch.microBatch=2", "numbers.skipLimit=1",
                "numbers.savedSteps=1", "schedule.steps=9",
            ]
            let result = try run.train(ranks: 2, settings)
            #expect(result.status == errorExitStatus, "\(result)")
            // As many as shall be kept, though two were refused.
            let folders = try kept(run), folder = try #require(folders.first)
            #expect(folders.count == 1, "\(folders)")
            #expect(result.errorOutput.contains("`pixpro replay \(folder)` names the first operation"), "\(result)")
            var texts: [String] = []
            for ranks in [1, 2] {
                let again = try replay(folder, ranks: ranks)
                #expect(again.status == 0, "\(again)")
                let text = try #require(again.output.firstMatch(of: /operation that is not finite is number (.*)\n/))
                texts.append(String(text.1.prefix { $0 != ":" }))
                // The momentum network comes first.
                #expect(
                    text.1.contains(": forward, NormalizedConvolution of encoder_k.layer2.0.bn2.weight, "), "\(again)")
                #expect(text.1.contains("encoder_k.layer2.0.conv2.weight [128, 3, 3, 128] up to 3e+38"), "\(again)")
                #expect(text.1.contains("not finite, the first "), "\(again)")
            }
            #expect(texts[1].hasPrefix(texts[0] + " on rank"), "\(texts)")

            // A step that was lost in part is refused, as is what is none.
            let sample = folder + "/samples-rank-1-part-0.safetensors"
            try FileManager.default.removeItem(atPath: sample)
            let torn = try replay(folder, ranks: 1)
            #expect(torn.status == errorExitStatus && torn.errorOutput.contains("lacks sample "), "\(torn)")
            let none = try replay(run.run, ranks: 1)
            #expect(none.status == errorExitStatus, "\(none)")
            #expect(none.errorOutput.contains("holds no saved step"), "\(none)")
        }
    }

    @Test func noStepIsSavedWhereNoneShallBe() throws {
        let start = try Self.start.get()
        try SmallRun.with { run in
            let result = try run.train(
                ranks: 1, [start, "batch.global=2", "numbers.nonFinite=stop", "numbers.savedSteps=0"])
            #expect(result.status == errorExitStatus && result.errorOutput.contains("not finite"), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: run.run + "/nonfinite"))
            #expect(!result.errorOutput.contains("pixpro replay"))
        }
    }

    private static let tasks: [(name: String, settings: [String])] = [
        (
            "segmentation",
            [
                "data.classes=4", "data.cropSize=32", "model.architecture=resnet18", "model.headChannels=16",
                "data.labels=\(SmallRun.data)/segmentation/train/labels",
            ]
        ),
        (
            "detection",
            [
                "data.annotations=\(SmallRun.data)/segmentation/train/boxes.json", "data.imageSize=48",
                "data.minimumSize=32", "model.architecture=resnet18", "detection.levels=[3, 4, 5]",
                "detection.channels=32", "detection.towerDepth=1", "detection.sizeRanges=[16, 24]",
            ]
        ),
        (
            "inpainting",
            [
                "data.imageSize=64", "data.view=whole", "model.channels=4", "loss.criticSteps=1",
                "optimizer.learningRate=1000",
            ]
        ),
    ]

    /// Of weights that a file had, or that a first update of an absurd length made.
    @Test(arguments: tasks.indices) func otherTasksAreDoneAgainToo(_ number: Int) throws {
        var (name, own) = Self.tasks[number]
        if name != "inpainting" { own.append(try Self.start.get()) }
        try SmallRun.with { run in
            let settings =
                [
                    "task=\(name)", "run.directory=\(run.run)", "batch.global=4", "schedule.epochs=20",
                    "schedule.warmupEpochs=0", "schedule.steps=9", "evaluation.everyEpochs=0",
                    "parallel.oversubscribe=true", "data.workers=0", "parallel.threads=1", "precision=float32",
                    "numbers.nonFinite=stop",
                ] + own
            let result = try MPILauncher.run(
                "pixpro", ranks: 2,
                ["train"] + settings.flatMap { ["--set", $0] } + [SmallRun.data + "/segmentation/train/images"],
                timeLimit: 60)
            #expect(result.status == errorExitStatus && result.errorOutput.contains("not finite"), "\(result)")
            let folder = try #require(try kept(run).first)
            let again = try replay(folder, ranks: 1)
            #expect(again.status == 0, "\(again)")
            #expect(again.output.contains("the first operation that is not finite is number "), "\(again)")
        }
    }
}
