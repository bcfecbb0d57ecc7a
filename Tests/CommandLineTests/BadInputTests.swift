import Foundation
import ImagePipeline
import TestSupport
import Testing

/// Each mistake ends the whole job within seconds, with one message that says what, where and what to do.
@Suite(.serialized) struct BadInputTests {
    /// The job fails soon, and says each of `words`.
    private func expectFailure(
        _ result: ProcessResult, saying words: String..., within seconds: Double = 20,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            result.status != 0 && !result.timedOut && result.seconds < seconds, "\(result)",
            sourceLocation: sourceLocation)
        for word in words {
            #expect(result.errorOutput.contains(word), "no '\(word)' in \(result)", sourceLocation: sourceLocation)
        }
        let messages = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("pixpro: error:") }
        #expect(messages.count == 1, "one message: \(result)", sourceLocation: sourceLocation)
    }

    @Test func aMissingFolder() throws {
        try SmallRun.with { run in
            expectFailure(try run.train(ranks: 2, images: ["/nowhere/images"]), saying: "/nowhere/images")
        }
    }

    @Test func anEmptyFolder() throws {
        try SmallRun.with { run in
            let empty = run.directory + "/empty"
            try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
            expectFailure(try run.train(ranks: 2, images: [empty]), saying: empty)
        }
    }

    @Test func noReadableImage() throws {
        try SmallRun.with { run in
            let folder = run.directory + "/broken"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for i in 0..<30 {
                try Data("<html>not found</html>".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(i).jpg"))
            }
            expectFailure(try run.train(ranks: 2, images: [folder]), saying: "no readable image", "rank 1: ")
        }
    }

    @Test func brokenImagesAreSkippedAndNamedOnce() throws {
        try SmallRun.with { run in
            let folder = run.directory + "/mixed"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let good = SmallRun.data + "/images/train"
            for name in try FileManager.default.subpathsOfDirectory(atPath: good) where name.hasSuffix(".jpg") {
                try FileManager.default.copyItem(
                    atPath: good + "/" + name, toPath: folder + "/" + name.replacing("/", with: "-"))
            }
            let whole = try Data(
                contentsOf: URL(
                    fileURLWithPath: folder + "/" + (try FileManager.default.contentsOfDirectory(atPath: folder))[0]))
            try Data().write(to: URL(fileURLWithPath: folder + "/empty.jpg"))
            try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: folder + "/truncated.jpg"))
            try Data("GIF89a".utf8).write(to: URL(fileURLWithPath: folder + "/animated.jpg"))
            let result = try run.train(ranks: 2, ["batch.global=24", "schedule.steps=8"], images: [folder])
            #expect(result.status == 0, "\(result)")
            for name in ["empty.jpg", "truncated.jpg", "animated.jpg"] {
                let lines = result.errorOutput.split(separator: "\n").filter { $0.contains(name) }
                #expect(lines.count == 1, "\(name) is named once: \(lines)")
            }
            func skipped() throws -> [Substring] {
                try String(contentsOfFile: run.run + "/skipped.txt", encoding: .utf8).split(separator: "\n")
            }
            #expect(try skipped().count == 3)
            // A run that goes on keeps what it knew: nothing is lost, nothing is named again.
            let resumed = try run.train(ranks: 1, ["batch.global=24", "schedule.steps=9"], images: [folder])
            #expect(resumed.status == 0 && !resumed.errorOutput.contains("skipping"), "\(resumed)")
            #expect(try skipped().count == 3)
        }
    }

    @Test func aFolderThatOneRankCannotRead() throws {
        try SmallRun.with { run in
            // The two ranks start in different directories, and only one of them has the folder.
            let there = run.directory + "/there", elsewhere = run.directory + "/elsewhere"
            for folder in [there, elsewhere] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try FileManager.default.copyItem(atPath: SmallRun.data + "/images/train", toPath: there + "/images")
            let program = try MPILauncher.product("pixpro")
            let arguments =
                [program, "train"]
                + (SmallRun.defaults + ["run.directory=\(run.run)"]).flatMap { ["--set", $0] } + ["images"]
            let result = try runProcess(
                "/usr/bin/env",
                ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "1", "--wdir", there] + arguments
                    + [":", "-n", "1", "--wdir", elsewhere] + arguments,
                environment: MPILauncher.environment, timeLimit: 30)
            expectFailure(result, saying: "rank 1", "images")
        }
    }

    /// The whole of it is `swift run -c release parser-fuzz 100000 1`.
    @Test func mutatedInputsAreReadOrRefused() throws {
        let result = try runProcess(try MPILauncher.product("parser-fuzz"), ["400", "1"], timeLimit: 60)
        #expect(result.status == 0, "\(result)")
        #expect(result.output.split(separator: "\n").count == (ImageDecoder.readsTIFF ? 12 : 11), "\(result)")
    }

    @Test func aTypoInTheConfiguration() throws {
        try SmallRun.with { run in
            let file = run.directory + "/run.yaml"
            try "optimizer:\n  momentm: 0.9\n".write(toFile: file, atomically: true, encoding: .utf8)
            let result = try MPILauncher.run("pixpro", ranks: 2, ["train", "--config", file], timeLimit: 20)
            expectFailure(result, saying: "run.yaml:2:3", "optimizer.momentm", "optimizer.momentum")
        }
    }

    @Test(arguments: [
        (["data.imageSize=big"], "data.imageSize"), (["batch.perRank=4"], "batch"),
        (["batch.global=1"], "batch.global"), (["nonsense"], "nonsense"),
    ]) func aWrongSetting(_ settings: [String], _ word: String) throws {
        try SmallRun.with { run in expectFailure(try run.train(ranks: 2, settings), saying: word) }
    }

    @Test func moreImagesAskedForThanThereAre() throws {
        try SmallRun.with { run in
            expectFailure(try run.train(ranks: 2, ["batch.global=64"]), saying: "30 images", "batch.global")
        }
    }

    @Test func moreRanksThanImages() throws {
        try SmallRun.with { run in
            let folder = run.directory + "/few"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for i in 0..<3 {
                try FileManager.default.copyItem(
                    atPath: SmallRun.data + "/segmentation/train/images/000\(i).jpg", toPath: "\(folder)/\(i).jpg")
            }
            expectFailure(
                try run.train(ranks: 4, ["batch.global=null", "batch.perRank=1"], images: [folder]),
                saying: "3 images", "4 ranks", "batch.perRank")
        }
    }

    @Test func aCheckpointOfAnotherArchitecture() throws {
        try SmallRun.withTrained { run in
            expectFailure(
                try run.train(ranks: 2, ["schedule.steps=2", "model.architecture=resnet34"]),
                saying: "model.architecture", "run.directory")
        }
    }

    @Test func damagedCheckpointsFallBackToTheOneBefore() throws {
        try SmallRun.with { run in
            #expect(try run.train(ranks: 2, ["schedule.steps=3", "checkpoint.everySteps=1"]).status == 0)
            let checkpoints = run.run + "/checkpoints"
            // The newest loses its manifest, the one before has a flipped bit.
            try FileManager.default.removeItem(atPath: checkpoints + "/step-00000003/manifest.json")
            let shard = URL(fileURLWithPath: checkpoints + "/step-00000002/shard-00002-of-00002.safetensors")
            var bytes = try Data(contentsOf: shard)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: shard)
            let verified = try runProcess(
                try MPILauncher.product("pixpro"), ["checkpoint", "verify", run.run], timeLimit: 30)
            #expect(verified.status == 1 && verified.output.contains("DAMAGED"), "\(verified)")
            let resumed = try run.train(ranks: 2, ["schedule.steps=4", "checkpoint.everySteps=1"])
            #expect(resumed.status == 0 && resumed.errorOutput.contains("step-00000001"), "\(resumed)")
            #expect(resumed.errorOutput.contains("damaged"), "\(resumed)")
        }
    }

    @Test func aDiskThatFillsUpWhileSavingLosesNothing() throws {
        try SmallRun.withTrained { run in
            // A limit on file sizes stands for the full disk: writing a shard of 60 MB fails, small files do not.
            let program = try MPILauncher.product("pixpro")
            let arguments = (SmallRun.defaults + ["run.directory=\(run.run)", "schedule.steps=2"]).flatMap {
                ["--set", $0]
            }
            let result = try runProcess(
                "/bin/bash",
                ["-c", "ulimit -f 20000; exec \"$@\"", "bash", program, "train"] + arguments
                    + [SmallRun.data + "/images/train"],
                environment: MPILauncher.environment, timeLimit: 60)
            #expect(result.status != 0 && result.errorOutput.contains("NOT saved"), "\(result)")
            let verified = try runProcess(program, ["checkpoint", "verify", run.run], timeLimit: 30)
            #expect(verified.status == 0 && verified.output.contains("step-00000001"), "\(verified)")
        }
    }

    @Test(arguments: [
        ("missing", "has no label map"), ("size", "has the size 40×40"), ("id", "has the class id 200"),
    ]) func aWrongLabelMap(_ kind: String, _ word: String) throws {
        try SmallRun.withTrained { run in
            let data = run.directory + "/segmentation"
            try FileManager.default.copyItem(atPath: SmallRun.data + "/segmentation/train", toPath: data)
            let name = try FileManager.default.contentsOfDirectory(atPath: data + "/labels").sorted()[1]
            let label = data + "/labels/" + name
            try FileManager.default.removeItem(atPath: label)
            if kind != "missing" {
                let side = kind == "size" ? 40 : 72
                let png = try encodePNG(
                    gray: [UInt8](repeating: kind == "id" ? 200 : 0, count: side * side), width: side, height: side)
                try Data(png).write(to: URL(fileURLWithPath: label))
            }
            let settings = [
                "evaluation.segmentation.train.images=\(data)/images",
                "evaluation.segmentation.train.labels=\(data)/labels",
                "evaluation.segmentation.validation.images=\(data)/images",
                "evaluation.segmentation.validation.labels=\(data)/labels", "evaluation.segmentation.classes=4",
                "evaluation.correspondence=false",
                "parallel.oversubscribe=true",
            ]
            let result = try MPILauncher.run(
                "pixpro", ranks: 2, ["evaluate", run.run] + settings.flatMap { ["--set", $0] }, timeLimit: 60)
            expectFailure(result, saying: word, String(name.dropLast(4)), within: 60)
        }
    }

    @Test func noReadableSegmentationPicture() throws {
        try SmallRun.withTrained { run in
            let data = run.directory + "/segmentation"
            try FileManager.default.copyItem(atPath: SmallRun.data + "/segmentation/train", toPath: data)
            let names = try FileManager.default.contentsOfDirectory(atPath: data + "/images").sorted()
            for name in names {
                try Data("<html>not found</html>".utf8).write(to: URL(fileURLWithPath: "\(data)/images/\(name)"))
            }
            let settings =
                ["train", "validation"].flatMap {
                    [
                        "evaluation.segmentation.\($0).images=\(data)/images",
                        "evaluation.segmentation.\($0).labels=\(data)/labels",
                    ]
                } + [
                    "evaluation.segmentation.classes=4", "evaluation.correspondence=false",
                    "parallel.oversubscribe=true",
                ]
            let result = try MPILauncher.run(
                "pixpro", ranks: 2, ["evaluate", run.run] + settings.flatMap { ["--set", $0] }, timeLimit: 60)
            expectFailure(
                result, saying: "none of the \(names.count) training pictures of the segmentation score is usable",
                "; the first: \(data)/images/\(names[0])", within: 60)
        }
    }

    @Test func aReferenceWithALyingHeader() throws {
        try SmallRun.with { run in
            let file = run.directory + "/lie.safetensors"
            var bytes = withUnsafeBytes(of: UInt64(1 << 40).littleEndian) { Data($0) }
            bytes.append(Data("{}".utf8))
            try bytes.write(to: URL(fileURLWithPath: file))
            let result = try MPILauncher.run("pixpro", ranks: 2, ["verify", "--reference", file], timeLimit: 20)
            expectFailure(result, saying: "lie.safetensors", "header")
        }
    }
}
