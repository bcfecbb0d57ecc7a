import Foundation
import ImagePipeline
import TestSupport
import Testing

/// Inpainting learned as users learn it: on any number of ranks, stopped, resumed, scored, used, and refused.
@Suite(.serialized) struct InpaintingRunTests {
    private static let pictures = SmallRun.data + "/segmentation"
    private static let settings = [
        "task=inpainting", "data.imageSize=64", "data.view=whole", "model.channels=4", "loss.criticSteps=1",
        "batch.global=5", "schedule.epochs=20", "schedule.steps=4", "checkpoint.everySteps=100",
        "evaluation.everyEpochs=0", "parallel.oversubscribe=true", "data.workers=0", "parallel.threads=1",
        "precision=float32",
    ]

    private func train(_ run: SmallRun, ranks: Int, _ settings: [String] = []) throws -> ProcessResult {
        let all = Self.settings + ["run.directory=\(run.run)"] + settings
        return try MPILauncher.run(
            "pixpro", ranks: ranks,
            ["train"] + all.flatMap { ["--set", $0] } + [Self.pictures + "/train/images"], timeLimit: 120)
    }

    /// Five images: two ranks have three and two, as have two micro-batches.
    @Test(arguments: [1, 2]) func anyNumberOfRanksLearnsTheSame(_ microBatches: Int) throws {
        var reference: [Double] = []
        for ranks in microBatches == 1 ? [1, 2, 3, 4] : [1, 2] {
            try SmallRun.with { run in
                let most = microBatches == 1 ? 5 : ranks == 1 ? 3 : 2
                let result = try train(run, ranks: ranks, ["batch.microBatch=\(most)"])
                #expect(result.status == 0, "\(result)")
                let losses = try run.losses()
                if ranks == 1 { reference = losses }
                #expect(losses.count == 4 && abs(losses[0] - reference[0]) <= 1e-6 * reference[0], "\(losses)")
                #expect(zip(losses, reference).allSatisfy { abs($0 - $1) <= 1e-5 * $1 }, "\(losses), \(reference)")
            }
        }
        #expect(reference.last! < reference[0])
    }

    @Test func aRunGoesOnBitForBitAndIsScoredAndUsed() throws {
        let evaluation = ["evaluation.images=\(Self.pictures)/val/images", "data.holes=strokes"]
        try SmallRun.with { whole in
            let result = try train(whole, ranks: 2, evaluation + ["evaluation.everyEpochs=20"])
            #expect(result.status == 0, "\(result)")
            try SmallRun.with { parts in
                #expect(try train(parts, ranks: 2, evaluation + ["schedule.steps=2"]).status == 0)
                let resumed = try train(parts, ranks: 2, evaluation)
                #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
                #expect(try parts.losses() == whole.losses())
                #expect(try parts.shardChecksums(step: 4) == whole.shardChecksums(step: 4))
            }
            let tables = try [1, 3].map { ranks in
                let scored = try MPILauncher.run(
                    "pixpro", ranks: ranks, ["evaluate", whole.run, "--json"], timeLimit: 90)
                #expect(scored.status == 0, "\(scored)")
                return scored.output
            }
            #expect(tables[0].contains("\"L1 hole by mean colour\"") && tables[0].contains("\"SSIM whole\""))
            #expect(tables[0] == tables[1])
            try expectFills(whole)
            let exported = try MPILauncher.run(
                "pixpro", ["export", whole.run, "--output", whole.directory + "/generator.safetensors"])
            #expect(exported.status == 0 && exported.output.contains("84 tensors"), "\(exported)")
        }
    }

    /// Known pixels stay as they are; each picture that cannot be filled is named with its reason.
    private func expectFills(_ run: SmallRun) throws {
        let folder = try PredictedFolder(in: run.directory), masks = run.directory + "/masks"
        try FileManager.default.createDirectory(atPath: masks, withIntermediateDirectories: true)
        func write(_ name: String, _ size: (width: Int, height: Int), _ isHole: (Int, Int) -> Bool) throws {
            let pixels = (0..<size.height).flatMap { y in (0..<size.width).map { x in isHole(x, y) ? 255 : 0 } }
            let png = PlainPNG(size.width, size.height, .gray, pixels)
            try Data(png.bytes).write(to: URL(filePath: "\(masks)/\(name).png"))
        }
        let size = try folder.size("a")
        try write("a", size) { x, y in (8..<20).contains(x) && (4..<16).contains(y) }
        try write("b", (size.width + 1, size.height)) { x, _ in x == 3 }
        let output = run.directory + "/filled"
        let result = try MPILauncher.run(
            "pixpro", ranks: 2,
            ["predict", run.run, run.directory + "/photos", "--masks", masks, "--output", output], timeLimit: 60)
        #expect(result.status == 0 && result.output.contains("in 2 pictures"), "\(result)")
        // `below/a` takes the mask of its name in a flat folder.
        for reason in ["b.jpg: is not filled: its mask", "smaller than the generator's steps", "broken.jpg"] {
            #expect(result.output.contains(reason), "\(result)")
        }
        func picture(_ path: String) throws -> RGBImage {
            try ImageDecoder.decode([UInt8](try Data(contentsOf: URL(filePath: path))))
        }
        let truth = try picture(run.directory + "/photos/a.jpg"), filled = try picture(output + "/a.filled.png")
        #expect((filled.width, filled.height) == (truth.width, truth.height))
        let changed = (0..<truth.width * truth.height).filter { pixel in
            (3 * pixel..<3 * pixel + 3).contains { truth.pixels[$0] != filled.pixels[$0] }
        }
        #expect(!changed.isEmpty)
        #expect(
            changed.allSatisfy { (8..<20).contains($0 % truth.width) && (4..<16).contains($0 / truth.width) })
        for ending in ["coarse", "attention"] { _ = try picture("\(output)/a.\(ending).png") }
    }

    @Test func whatCannotBeUsedIsNamedBeforeTraining() throws {
        func refusal(_ settings: [String], ranks: Int = 1) throws -> String {
            var text = ""
            try SmallRun.with { run in
                let result = try train(run, ranks: ranks, settings)
                #expect(result.status == 78, "\(result)")
                text = result.errorOutput
            }
            return text
        }
        #expect(try refusal(["data.imageSize=100"]).contains("no multiple of 8"))
        #expect(try refusal(["data.holes=files"]).contains("data.masks is not set"))
        #expect(try refusal(["data.masks=x"]).contains("which draws holes"))
        #expect(try refusal(["model.dialect=paper"]).contains("more than 64 px"))
        #expect(try refusal(["evaluation.masks=x"]).contains("evaluation.masks is set"))
        #expect(try refusal(["data.holes=files", "data.masks=/nowhere"], ranks: 2).contains("/nowhere"))
        // Photographs are no masks.
        #expect(
            try refusal(["data.holes=files", "data.masks=\(Self.pictures)/train/images"], ranks: 2)
                .contains("a mask is white where the hole is"))
    }
}
