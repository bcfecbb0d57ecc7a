import Checkpointing
import Foundation
import ImagePipeline
import MessagePassing
import SystemPackage
import TestSupport
import Testing
import Training

/// Pictures of sixteen bits and TIFFs, trained on as users have them, with pixels scaled by what was measured in them.
@Suite(.serialized) struct PictureRunTests {
    /// Twelve PNGs of 16 bits and, where they are read, as many TIFFs.
    private static let pictures: String = {
        let folder = SmallRun.data + "/wide"
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for picture in 0..<12 {
                let width = 40 + picture, height = 36
                let samples: [Int] = (0..<width * height * 3).map { place in
                    (place * 37 * (picture + 3) + place / 120 * 911) % 50_000
                }
                try Data(PlainPNG(width, height, .rgb, bits: 16, samples).bytes)
                    .write(to: URL(fileURLWithPath: "\(folder)/\(picture).png"))
            }
            let files = URL(fileURLWithPath: SmallRun.project + "/Tests/References/Pictures")
            for name in ImageDecoder.readsTIFF ? ["rgb16-tiles", "rgb8-lzw", "gray16", "palette8"] : [] {
                for copy in 0..<3 {
                    try FileManager.default.copyItem(
                        at: files.appending(path: name + ".tif"),
                        to: URL(fileURLWithPath: "\(folder)/\(name)\(copy).tif"))
                }
            }
        } catch {
            preconditionFailure("cannot write the pictures: \(error)")
        }
        return folder
    }()

    private static let measured = [
        "data.mean=measured", "data.deviation=measured", "data.imageSize=32", "batch.global=3",
    ]

    private func facts(_ run: SmallRun, step: Int) throws -> [String: String] {
        try CheckpointCatalog.verify(try CheckpointCatalog.find(step: step, runDirectory: FilePath(run.run))).facts
            .architecture
    }

    @Test func statisticsAreThoseOfAnyNumberOfRanksAndAreKept() throws {
        var known: [[String: String]] = []
        for ranks in [1, 3] {
            try SmallRun.with { run in
                let result = try run.train(ranks: ranks, Self.measured + ["schedule.steps=1"], images: [Self.pictures])
                #expect(result.status == 0 && !result.errorOutput.contains("skipping"), "\(result)")
                let count = ImageDecoder.readsTIFF ? 24 : 12
                #expect(result.errorOutput.contains("measured in \(count) pictures; pixels in 0…1"), "\(result)")
                #expect(try run.losses().count == 1)
                known.append(try facts(run, step: 1))
                if ranks == 3 { try expectKept(run, known[1]) }
            }
        }
        #expect(known[0] == known[1] && known[0]["mean"] != nil && known[0]["mean"] != "0.485,0.456,0.406", "\(known)")
    }

    /// A run that goes on measures nothing, whatever its pictures; exports and scores have its numbers; other keys are
    /// refused.
    private func expectKept(_ run: SmallRun, _ known: [String: String]) throws {
        let other = try run.train(ranks: 1, Self.measured + ["schedule.steps=2"])
        #expect(other.status == 0 && other.errorOutput.contains("resuming from"), "\(other)")
        #expect(!other.errorOutput.contains("measured in"), "\(other)")
        #expect(try facts(run, step: 2) == known)
        let changed = try run.train(ranks: 1, Array(Self.measured.dropFirst()) + ["schedule.steps=3"])
        #expect(changed.status == errorExitStatus, "\(changed)")
        #expect(changed.errorOutput.contains("data.mean: measured became imagenet"), "\(changed)")

        let folder = run.directory + "/timm"
        let exported = try MPILauncher.run(
            "pixpro", ranks: 1, ["export", run.run, "--output", folder, "--format", "timm"], timeLimit: 60)
        #expect(exported.status == 0, "\(exported)")
        let text = try String(contentsOfFile: folder + "/config.json", encoding: .utf8)
        for (key, name) in [("mean", "mean"), ("std", "std")] {
            let numbers = try #require(known[key]).replacing(",", with: ", ")
            #expect(text.contains("\"\(name)\": [\(numbers)]"), "\(text)")
            let file = try SafetensorsFile(path: FilePath(folder + "/model.safetensors"))
            #expect(file.metadata[key] == known[key])
        }
        let two = "data.roots=[\(Self.pictures)/0.png, \(Self.pictures)/1.png]"
        let scored = try MPILauncher.run(
            "pixpro", ranks: 2, ["evaluate", run.run, "--set", two, "--json"], timeLimit: 150)
        #expect(scored.status == 0 && scored.output.contains("correspondence"), "\(scored)")
    }

    /// Without libtiff the remedy is said, and with it such a folder is listed like any other.
    @Test func aFolderIsScannedWithItsTIFFs() throws {
        let result = try runProcess(
            try MPILauncher.product("pixpro"), ["data", "scan", Self.pictures], timeLimit: 60)
        #expect(result.status == 0, "\(result)")
        let count = ImageDecoder.readsTIFF ? 24 : 12
        #expect(result.output.contains("\(count) images are used, 0 skipped, 0 other files ignored"), "\(result)")
    }
}
