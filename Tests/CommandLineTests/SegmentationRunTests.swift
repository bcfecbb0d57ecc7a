import Foundation
import ImagePipeline
import SystemPackage
import TestSupport
import Testing
import Training

/// Segmentation learned as users learn it: on any number of ranks, stopped, resumed, scored, and refused.
@Suite(.serialized) struct SegmentationRunTests {
    private static let pictures = SmallRun.data + "/segmentation"
    private static let settings = [
        "task=segmentation", "data.classes=4", "data.cropSize=48", "model.architecture=resnet18",
        "model.headChannels=16", "batch.global=5", "schedule.epochs=12", "schedule.warmupEpochs=1",
        "schedule.steps=4", "checkpoint.everySteps=100", "evaluation.everyEpochs=0", "parallel.oversubscribe=true",
        "data.workers=0", "parallel.threads=1", "precision=float32", "optimizer.baseLearningRate=0.05",
        // With 1 a rectifier's input is zero but for rounding, and so is what its slope makes of the next losses.
        "run.seed=2",
    ]
    private static let labels = "data.labels=\(pictures)/train/labels"
    private static let validation = [
        "evaluation.validation.images=\(pictures)/val/images", "evaluation.validation.labels=\(pictures)/val/labels",
    ]

    private func train(
        _ run: SmallRun, ranks: Int, _ settings: [String] = [], labels: String = labels
    ) throws -> ProcessResult {
        let all = Self.settings + [labels, "run.directory=\(run.run)"] + settings
        return try MPILauncher.run(
            "pixpro", ranks: ranks,
            ["train"] + all.flatMap { ["--set", $0] } + [Self.pictures + "/train/images"], timeLimit: 90)
    }

    /// Five images: two ranks have three and two; two micro-batches of three and two are dealt one after the other.
    @Test(arguments: [1, 2]) func anyNumberOfRanksLearnsTheSame(_ microBatches: Int) throws {
        var reference: [Double] = []
        for ranks in microBatches == 1 ? [1, 2, 3] : [1, 2] {
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

    @Test func aRunGoesOnBitForBitAndIsScoredAlikeByAnyNumberOfRanks() throws {
        try SmallRun.with { whole in
            let result = try train(whole, ranks: 2, Self.validation + ["evaluation.everyEpochs=12"])
            #expect(result.status == 0, "\(result)")
            try SmallRun.with { parts in
                #expect(try train(parts, ranks: 2, ["schedule.steps=2"]).status == 0)
                let resumed = try train(parts, ranks: 2)
                #expect(resumed.status == 0 && resumed.errorOutput.contains("resuming from"), "\(resumed)")
                #expect(try parts.losses() == whole.losses())
                #expect(try parts.shardChecksums(step: 4) == whole.shardChecksums(step: 4))
            }
            let windows = ["evaluation.window=32", "evaluation.windowStep=24", "evaluation.scale=0.75"]
            for options in [[], windows] {
                let tables = try [1, 3].map { ranks in
                    let scored = try MPILauncher.run(
                        "pixpro", ranks: ranks,
                        ["evaluate", whole.run, "--json"] + options.flatMap { ["--set", $0] }, timeLimit: 60)
                    #expect(scored.status == 0, "\(scored)")
                    return scored.output
                }
                #expect(tables[0].contains("\"mIoU\"") && tables[0].contains("\"IoU 3\"") && tables[0] == tables[1])
            }
            try expectPredictions(whole)
            try expectSkips(whole)
        }
    }

    /// A picture whose header alone is sound is skipped and named, and pictures that are also trained on are counted.
    private func expectSkips(_ run: SmallRun) throws {
        let files = FileManager.default, folder = run.directory + "/cut"
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for part in ["images", "labels"] {
            try files.copyItem(atPath: "\(Self.pictures)/train/\(part)", toPath: "\(folder)/\(part)")
        }
        let name = try #require(try files.contentsOfDirectory(atPath: folder + "/images").sorted().first)
        let path = "\(folder)/images/\(name)", stem = String(name.prefix { $0 != "." })
        let picture = try ImageDecoder.decode([UInt8](try Data(contentsOf: URL(filePath: path))))
        var bytes = try encodePNG(rgb: picture.pixels, width: picture.width, height: picture.height)
        for place in bytes.count / 2..<bytes.count / 2 + 40 { bytes[place] ^= 0x5A }
        try files.removeItem(atPath: path)
        try Data(bytes).write(to: URL(filePath: "\(folder)/images/\(stem).png"))
        func evaluate(_ images: String, ranks: Int) throws -> String {
            let set = ["images=\(images)/images", "labels=\(images)/labels"].map { "evaluation.validation.\($0)" }
            let scored = try MPILauncher.run(
                "pixpro", ranks: ranks, ["evaluate", run.run, "--json"] + set.flatMap { ["--set", $0] }, timeLimit: 60)
            #expect(scored.status == 0, "\(scored)")
            return scored.output
        }
        let tables = try [1, 3].map { try evaluate(folder, ranks: $0) }
        #expect(tables[0].contains("\(stem).png") && tables[0] == tables[1], "\(tables)")
        let seen = try evaluate(Self.pictures + "/val/../train", ranks: 1)
        #expect(seen.contains("6 of the 6 pictures to be scored are also trained on"), "\(seen)")
    }

    /// Class ids at the pictures' own size, and their colours over them.
    private func expectPredictions(_ run: SmallRun) throws {
        let folder = try PredictedFolder(in: run.directory), files = try folder.predict(run.run)
        let stems = ["a", "b", "below/a"]
        #expect(Set(files.keys) == Set((stems + ["thin"]).flatMap { ["\($0).labels.png", "\($0).overlay.jpg"] }))
        for stem in stems {
            let size = try folder.size(stem), map = try decodeLabelMap(files["\(stem).labels.png"]!)
            #expect(map.width == size.width && map.height == size.height && map.ids.allSatisfy { $0 < 4 })
            #expect(try ImageDecoder.size(of: files["\(stem).overlay.jpg"]!) == (size.width, size.height))
        }
    }

    /// Shares of labels, with a schedule of the same length.
    @Test func aShareOfTheLabelsLearnsAsLong() throws {
        try SmallRun.with { run in
            let result = try train(run, ranks: 2, ["data.labelFraction=0.34", "data.classes=[void, a, b, c]"])
            #expect(result.status == 0, "\(result)")
            let log = try String(contentsOfFile: run.run + "/log.txt", encoding: .utf8)
            #expect(log.contains(#/labels of [2-4] of 6 pictures are used/#) && log.contains("6 images"), "\(log)")
            #expect(try run.losses().count == 4)
        }
    }

    @Test func whatCannotBeUsedIsNamedBeforeTraining() throws {
        func refusal(_ settings: [String], labels: String = Self.labels, ranks: Int = 2) throws -> String {
            var text = ""
            try SmallRun.with { run in
                let result = try train(run, ranks: ranks, settings, labels: labels)
                #expect(result.status == 78, "\(result)")
                text = result.errorOutput
            }
            return text
        }
        #expect(try refusal(["data.classes=3"]).contains("has the class id 3, but there are 3 classes"))
        #expect(try refusal(["data.classes=null"], ranks: 1).contains("data.classes is not set"))
        #expect(try refusal(["data.void=2"], ranks: 1).contains("data.void 2 is one of the classes"))
        #expect(try refusal(["method.name=pixpro"], ranks: 1).contains("method.name"))
        #expect(try refusal(["evaluation.windowStep=9"], ranks: 1).contains("set evaluation.window to"))
        let step = ["evaluation.window=32", "evaluation.windowStep=33"]
        #expect(try refusal(step, ranks: 1).contains("would leave pixels out"))
        let elsewhere = try refusal([], labels: "data.labels=\(Self.pictures)/val/labels")
        #expect(elsewhere.contains("has no label map"), "\(elsewhere)")
        let scored = try refusal([
            "data.classes=8", "evaluation.validation.images=\(Self.pictures)/train/images",
            "evaluation.validation.labels=\(Self.pictures)/val/labels",
        ])
        #expect(scored.contains("has no label map"), "\(scored)")
        try withTemporaryDirectory { folder in
            // Two pictures of whose labels one has an id that is no class: to be learned it is refused, and to be scored.
            let files = FileManager.default, source = Self.pictures + "/val"
            for part in ["images", "labels"] {
                try files.copyItem(atPath: "\(source)/\(part)", toPath: "\(folder)/\(part)")
            }
            let map = try #require(try files.contentsOfDirectory(atPath: folder + "/labels").sorted().first)
            let ids = try decodeLabelMap([UInt8](try Data(contentsOf: URL(filePath: "\(folder)/labels/\(map)"))))
            try Data(try encodePNG(gray: ids.ids.map { $0 == 0 ? 77 : $0 }, width: ids.width, height: ids.height))
                .write(to: URL(filePath: "\(folder)/labels/\(map)"))
            let unknown = try refusal([
                "evaluation.validation.images=\(folder)/images", "evaluation.validation.labels=\(folder)/labels",
            ])
            #expect(unknown.contains("has the class id 77") && unknown.contains(map), "\(unknown)")
            let list = folder + "/list.txt"
            try "nobody\n".write(toFile: list, atomically: true, encoding: .utf8)
            #expect(try refusal(["data.list=\(list)"]).contains("is in the list"))
        }
        let twice = try refusal(["data.roots=[\(Self.pictures)/train/images, \(Self.pictures)/val/images]"])
        #expect(twice.contains("segmentation takes one folder"), "\(twice)")
    }
}
