import Foundation
import ImagePipeline
import SystemPackage
import TestSupport
import Testing

/// Pictures that a run looks at: three in a folder and one below it, and one that is none.
struct PredictedFolder {
    let directory: String

    init(in directory: String) throws {
        self.directory = directory
        let files = FileManager.default, pictures = SmallRun.data + "/segmentation/val/images"
        try files.createDirectory(atPath: directory + "/photos/below", withIntermediateDirectories: true)
        let names = try files.contentsOfDirectory(atPath: pictures).sorted().prefix(3)
        for (name, target) in zip(names, ["a.jpg", "b.jpg", "below/a.jpg"]) {
            try files.copyItem(atPath: pictures + "/" + name, toPath: directory + "/photos/" + target)
        }
        // Thinner than any network expects.
        try Data(PlainPNG(600, 1, .gray, [Int](repeating: 90, count: 600)).bytes)
            .write(to: URL(filePath: directory + "/photos/thin.png"))
        try Data("no picture".utf8).write(to: URL(filePath: directory + "/photos/broken.jpg"))
    }

    /// What is written on one rank, by name; on three it is the same, but for the rounding of other numbers of threads.
    func predict(_ run: String, _ options: [String] = []) throws -> [String: [UInt8]] {
        let written = try [1, 3].map { ranks in
            let output = directory + "/seen\(ranks)"
            let arguments = ["predict", run, directory + "/photos", "--output", output] + options
            let result = try MPILauncher.run("pixpro", ranks: ranks, arguments, timeLimit: 60)
            #expect(result.status == 0 && result.output.contains("in 4 pictures"), "\(result)")
            #expect(result.output.contains("skipped 1") && result.output.contains("broken.jpg"), "\(result)")
            // A second time nothing is overwritten.
            let again = try MPILauncher.run("pixpro", arguments)
            #expect(again.status == 78 && again.errorOutput.contains("is not empty"), "\(again)")
            return try files(in: output)
        }
        try #require(Set(written[0].keys) == Set(written[1].keys))
        for (name, bytes) in written[0] where !name.hasSuffix(".json") {
            let (one, three) = (try ImageDecoder.decode(bytes), try ImageDecoder.decode(written[1][name]!))
            #expect((one.width, one.height) == (three.width, three.height))
            let other = zip(one.pixels, three.pixels).count { abs(Int($0) - Int($1)) > 2 }
            #expect(Double(other) <= 0.01 * Double(one.pixels.count), "\(name): \(other) of \(one.pixels.count)")
        }
        return written[0]
    }

    private func files(in folder: String) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            var isFolder: ObjCBool = false
            let path = folder + "/" + name
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                continue
            }
            files[name] = [UInt8](try Data(contentsOf: URL(filePath: path)))
        }
        return files
    }

    /// The size of a picture that is looked at.
    func size(_ name: String) throws -> (width: Int, height: Int) {
        try ImageDecoder.size(of: [UInt8](try Data(contentsOf: URL(filePath: "\(directory)/photos/\(name).jpg"))))
    }
}

/// What pretraining sees; segmentation and detection are tested beside their runs.
@Suite(.serialized) struct PredictTests {
    @Test func aPretrainedBackboneShowsItsFeatures() throws {
        try SmallRun.withTrained { run in
            let folder = try PredictedFolder(in: run.directory)
            let files = try folder.predict(run.run, ["--mark", "0.1,0.9"])
            let stems = ["a", "b", "below/a"]
            #expect(
                Set(files.keys) == Set((stems + ["thin"]).flatMap { ["\($0).features.png", "\($0).similarity.png"] }))
            for stem in stems {
                let size = try folder.size(stem)
                for ending in ["features", "similarity"] {
                    let image = try ImageDecoder.decode(files["\(stem).\(ending).png"]!)
                    #expect((image.width, image.height) == (size.width, size.height))
                    #expect(Set(image.pixels).count > 20, "\(stem).\(ending) shows nothing")
                }
                // The marked place is like itself.
                let similarity = try ImageDecoder.decode(files["\(stem).similarity.png"]!)
                let at = (size.height * 9 / 10 * size.width + size.width / 10) * 3
                #expect(similarity.pixels[at] >= 250, "\(similarity.pixels[at])")
            }
        }
    }

    /// Names in a list may have roots, or lead out of its folder: what is written stays below the output all the same.
    @Test func listsLeadNowhereElse() throws {
        try SmallRun.withTrained { run in
            let folder = try PredictedFolder(in: run.directory), files = FileManager.default
            let photos = folder.directory + "/photos", output = run.directory + "/listed"
            let before = try files.subpathsOfDirectory(atPath: photos).sorted()
            try files.createDirectory(atPath: folder.directory + "/lists", withIntermediateDirectories: true)
            let list = folder.directory + "/lists/list.txt"
            try "\(photos)/b.jpg\n../photos/below/a.jpg\n".write(toFile: list, atomically: true, encoding: .utf8)
            let result = try MPILauncher.run("pixpro", ["predict", run.run, list, "--output", output])
            #expect(result.status == 0 && result.output.contains("in 2 pictures"), "\(result)")
            let written = try files.subpathsOfDirectory(atPath: output).filter { $0.hasSuffix(".png") }
            #expect(written.count == 4 && written.contains("photos/below/a.features.png"), "\(written)")
            #expect(written.contains { $0.hasSuffix("photos/b.features.png") }, "\(written)")
            #expect(try files.subpathsOfDirectory(atPath: photos).sorted() == before)
        }
    }

    @Test func whatCannotBeLookedAtIsNamed() throws {
        try SmallRun.withTrained { run in
            let folder = try PredictedFolder(in: run.directory), output = run.directory + "/out"
            func refusal(_ arguments: [String]) throws -> String {
                let result = try MPILauncher.run("pixpro", ["predict"] + arguments)
                #expect(result.status != 0, "\(result)")
                return result.errorOutput
            }
            let photos = folder.directory + "/photos"
            #expect(try refusal([run.run, photos + "x", "--output", output]).contains("cannot open it"))
            #expect(try refusal([run.directory, photos, "--output", output]).contains("no checkpoint in"))
            #expect(try refusal([run.run, photos, "--output", output, "--mark", "2,0"]).contains("from 0 to 1"))
            let others = run.directory + "/others"
            try FileManager.default.createDirectory(atPath: others, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: photos + "/b.jpg", toPath: others + "/a.jpg")
            #expect(try refusal([run.run, photos, others, "--output", output]).contains("files of one name"))
            #expect(try refusal([run.run, photos, "--output", photos]).contains("is not empty"))
        }
    }
}
