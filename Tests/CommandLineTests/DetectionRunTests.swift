import Checkpointing
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

/// Detection learned as users learn it: on any number of ranks, stopped, resumed, scored, and refused.
@Suite(.serialized) struct DetectionRunTests {
    private static let settings = [
        "task=detection", "data.imageSize=40", "data.minimumSize=32", "data.augmentation.crop=0.3",
        "model.architecture=resnet18", "detection.levels=[3, 4, 5]", "detection.channels=32", "detection.towerDepth=1",
        "detection.sizeRanges=[16, 24]", "detection.pyramidNormalization=true", "batch.global=5", "schedule.epochs=12",
        "schedule.warmupEpochs=1", "schedule.steps=4", "checkpoint.everySteps=100", "evaluation.everyEpochs=0",
        "parallel.oversubscribe=true", "data.workers=0", "parallel.threads=1", "precision=float32",
        "optimizer.baseLearningRate=0.05",
    ]

    /// Ten pictures of unequal size with blue and green rectangles on grey, and their annotations. Every third picture is
    /// empty: some ranks have nothing to find.
    private static let data: String = {
        let folder = SmallRun.data + "/detection"
        do {
            try FileManager.default.createDirectory(atPath: folder + "/images", withIntermediateDirectories: true)
            var images: [String] = [], annotations: [String] = []
            for picture in 0..<10 {
                var generator = KeyedGenerator(17, UInt64(picture))
                let width = 60 + generator.integer(below: 30), height = 50 + generator.integer(below: 30)
                var samples = (0..<width * height * 3).map { _ in 100 + generator.integer(below: 40) }
                for _ in 0..<(picture % 3 == 0 ? 0 : 1 + picture % 2) {
                    let w = 14 + generator.integer(below: 20), h = 14 + generator.integer(below: 20)
                    let x = generator.integer(below: width - w), y = generator.integer(below: height - h)
                    let category = generator.integer(below: 2)
                    for row in y..<y + h {
                        for column in x..<x + w {
                            for channel in 0..<3 {
                                samples[(row * width + column) * 3 + channel] = channel == 1 + category ? 240 : 20
                            }
                        }
                    }
                    annotations.append(
                        #"{"id":\#(annotations.count + 1),"image_id":\#(picture + 1),"category_id":\#(category + 1),"#
                            + #""bbox":[\#(x),\#(y),\#(w),\#(h)],"area":\#(w * h),"iscrowd":0}"#)
                }
                try Data(PlainPNG(width, height, .rgb, samples).bytes)
                    .write(to: URL(filePath: "\(folder)/images/\(picture).png"))
                images.append(
                    #"{"id":\#(picture + 1),"file_name":"\#(picture).png","width":\#(width),"height":\#(height)}"#)
            }
            try """
            {"images":[\(images.joined(separator: ","))],"annotations":[\(annotations.joined(separator: ","))],
            "categories":[{"id":1,"name":"green"},{"id":2,"name":"blue"}]}
            """.write(toFile: folder + "/instances.json", atomically: true, encoding: .utf8)
        } catch {
            preconditionFailure("cannot draw the annotated pictures: \(error)")
        }
        return folder
    }()

    private static let annotations = "data.annotations=\(data)/instances.json"
    private static let validation = "evaluation.validation.annotations=\(data)/instances.json"

    private func train(_ run: SmallRun, ranks: Int, _ settings: [String] = []) throws -> ProcessResult {
        let all = Self.settings + [Self.annotations, "run.directory=\(run.run)"] + settings
        return try MPILauncher.run(
            "pixpro", ranks: ranks, ["train"] + all.flatMap { ["--set", $0] } + [Self.data + "/images"], timeLimit: 90)
    }

    private func values(_ run: SmallRun, _ name: String) throws -> [Double] {
        try MetricsFile.read(FilePath(run.run + "/metrics.jsonl")).records.filter { $0.kind == .train }
            .compactMap { $0.values[name] }
    }

    /// Five images: two ranks have three and two of unequal size, and K = 2 cuts them into three and two first.
    @Test(arguments: [[], ["microBatches"], ["detection.convention=torchvision"]])
    func anyNumberOfRanksLearnsTheSame(_ settings: [String]) throws {
        let names = ["loss", "loss.cls", "loss.reg", "loss.ctr", "positivesPerImage"]
        var reference: [[Double]] = []
        // Not every rank of three would have an image of two.
        for ranks in settings == ["microBatches"] ? [1, 2] : [1, 2, 3] {
            try SmallRun.with { run in
                let own =
                    settings == ["microBatches"]
                    ? ["batch.microBatch=\(ranks == 1 ? 3 : 2)"] : settings
                let result = try train(run, ranks: ranks, own)
                #expect(result.status == 0, "\(result)")
                let found = try names.map { try values(run, $0) }
                if ranks == 1 { reference = found }
                #expect(found.allSatisfy { $0.count == 4 })
                for (a, b) in zip(found.joined(), reference.joined()) {
                    #expect(abs(a - b) <= 1e-4 * max(1, b), "\(ranks) ranks: \(found), \(reference)")
                }
                for step in 0..<4 {
                    #expect(abs(found[1][step] + found[2][step] + found[3][step] - found[0][step]) < 1e-9)
                }
            }
        }
        #expect(reference[4].allSatisfy { $0 > 0 })
    }

    @Test func aRunGoesOnBitForBitAndIsScoredAlikeByAnyNumberOfRanks() throws {
        try SmallRun.with { whole in
            let result = try train(whole, ranks: 2, [Self.validation])
            #expect(result.status == 0, "\(result)")
            try SmallRun.with { parts in
                #expect(try train(parts, ranks: 2, ["schedule.steps=2"]).status == 0)
                let resumed = try train(parts, ranks: 2)
                #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
                #expect(try parts.losses() == whole.losses())
                #expect(try parts.shardChecksums(step: 4) == whole.shardChecksums(step: 4))
            }
            let tables = try [1, 3].map { ranks in
                let scored = try MPILauncher.run(
                    "pixpro", ranks: ranks, ["evaluate", whole.run, "--json", "--set", "evaluation.threshold=0.001"],
                    timeLimit: 60)
                #expect(scored.status == 0, "\(scored)")
                return scored.output
            }
            #expect(tables[0] == tables[1])
            for name in ["AP", "AP50", "AP75", "AP small", "VOC AP50"] { #expect(tables[0].contains("\"\(name)\"")) }
            let file = whole.directory + "/detector.safetensors"
            let exported = try MPILauncher.run("pixpro", ["export", whole.run, "-o", file])
            #expect(exported.status == 0, "\(exported)")
            let detector = try SafetensorsFile(path: FilePath(file)), names = Set(detector.tensors.map(\.name))
            #expect(names.isSuperset(of: ["encoder.conv1.weight", "cls_logits.weight", "scales.2.scale"]))
            #expect(detector.metadata["categories"] == #"[{"id":1,"name":"green"},{"id":2,"name":"blue"}]"#)
            #expect(detector.metadata["size_ranges"] == "16.0,24.0")
            #expect(tables[0].contains("AP large") && !tables[0].contains("\"AP large\""), "no object is large")
            try expectPredictions(whole)
        }
    }

    /// Boxes on pictures, and all of them as COCO's results.
    private func expectPredictions(_ run: SmallRun) throws {
        let folder = try PredictedFolder(in: run.directory)
        let files = try folder.predict(run.run, ["--set", "evaluation.threshold=0.001"])
        #expect(
            Set(files.keys) == ["a.boxes.jpg", "b.boxes.jpg", "below/a.boxes.jpg", "thin.boxes.jpg", "detections.json"])
        let found = try #require(
            try JSONSerialization.jsonObject(with: Data(files["detections.json"]!)) as? [[String: Any]])
        let size = try folder.size("a")
        #expect(!found.isEmpty)
        for object in found {
            let box = try #require(object["bbox"] as? [Double]), name = try #require(object["file_name"] as? String)
            let number = try #require(object["image_id"] as? Int), score = try #require(object["score"] as? Double)
            // The broken picture keeps its number.
            #expect(
                ["a.jpg": 1, "b.jpg": 2, "below/a.jpg": 3, "broken.jpg": 4, "thin.png": 5][name] == number, "\(object)")
            #expect([1, 2].contains(object["category_id"] as? Int) && (0...1).contains(score), "\(object)")
            let width = name == "thin.png" ? 600 : size.width
            #expect(box[0] >= 0 && box[1] >= 0 && box[0] + box[2] <= Double(width) + 0.01, "\(object)")
        }
    }

    @Test func aKilledRunGoesOnBitForBit() throws {
        let settings = ["checkpoint.everySteps=2", "checkpoint.keep=100000", "schedule.epochs=100000"]
        var expected: [String] = []
        try SmallRun.with { run in
            #expect(try train(run, ranks: 2, settings).status == 0)
            expected = try run.shardChecksums(step: 4)
        }
        try SmallRun.with { run in
            let checkpoint = run.run + "/checkpoints/step-00000002/manifest.json"
            let (killed, killing) = try whileRunning { wait in
                wait { FileManager.default.fileExists(atPath: checkpoint) }
                return kill(try run.process(rank: 1).id, SIGKILL)
            } _: {
                try train(run, ranks: 2, settings + ["schedule.steps=100000"])
            }
            #expect(killing == 0 && killed.status != 0, "\(killed)")
            for entry in try CheckpointCatalog.list(runDirectory: FilePath(run.run)) where entry.step > 2 {
                try FileManager.default.removeItem(atPath: entry.directory.string)
            }
            let resumed = try train(run, ranks: 2, settings)
            #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
            #expect(try run.shardChecksums(step: 4) == expected)
        }
    }

    /// Shares of the pictures, with a schedule of the same length; the trunk of a file, frozen.
    @Test func aShareOfTheLabelsLearnsAsLongFromWeightsOfAFile() throws {
        try SmallRun.withTrained { pretrained in
            let file = pretrained.directory + "/backbone.safetensors"
            #expect(try MPILauncher.run("pixpro", ["export", pretrained.run, "-o", file]).status == 0)
            try SmallRun.with { run in
                let result = try train(
                    run, ranks: 2,
                    [
                        "data.labelFraction=0.4", "model.start=\(file)", "model.trunkStatistics=frozen",
                        "model.frozenStages=2", "batch.global=4", "schedule.steps=3",
                    ])
                #expect(result.status == 0, "\(result)")
                let log = try String(contentsOfFile: run.run + "/log.txt", encoding: .utf8)
                #expect(log.contains("4 of 10 pictures are used") && log.contains("10 images"), "\(log)")
                #expect(
                    log.contains("begins with 100 tensors of \(file)") && !log.contains("at random weights"), "\(log)")
                #expect(try run.losses().count == 3)
            }
        }
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
        #expect(try refusal(["data.annotations=null"]).contains("data.annotations is not set"))
        #expect(try refusal(["detection.channels=40"]).contains("detection.channels 40 cannot be shared"))
        #expect(try refusal(["detection.levels=[3, 4]"]).contains("detection.levels"))
        #expect(try refusal(["method.name=pixpro"]).contains("method.name"))
        let other = try refusal(["data.annotations=\(Self.data)/images/1.png"], ranks: 2)
        #expect(other.contains("images/1.png"), "\(other)")
        let twice = try refusal(["data.roots=[\(Self.data)/images, \(Self.data)]"], ranks: 2)
        #expect(twice.contains("detection takes the pictures of one folder"), "\(twice)")
        try withTemporaryDirectory { folder in
            let written = try String(contentsOfFile: Self.data + "/instances.json", encoding: .utf8)
            let crowds = folder + "/crowds.json"
            try written.replacing("\"iscrowd\":0", with: "\"iscrowd\":1")
                .write(toFile: crowds, atomically: true, encoding: .utf8)
            #expect(try refusal(["data.annotations=\(crowds)"], ranks: 2).contains("has an object to learn"))
            // A run does not go on with classes that mean something else.
            let swapped = folder + "/swapped.json"
            try written.replacing("green", with: "red").write(toFile: swapped, atomically: true, encoding: .utf8)
            try SmallRun.with { run in
                #expect(try train(run, ranks: 1, ["schedule.steps=1"]).status == 0)
                let resumed = try train(run, ranks: 2, ["data.annotations=\(swapped)"])
                #expect(resumed.status == 78 && resumed.errorOutput.contains("was made with categories"), "\(resumed)")
            }
        }
    }
}
