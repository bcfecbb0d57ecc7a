import Foundation
import TensorCore
import TestSupport
import Testing

/// Ranks that were given different things, as happens where hosts have copies of their own: mpirun starts two programs as
/// one job. All end with one message, and none waits for the others.
@Suite(.serialized) struct UnlikeRanksTests {
    /// One rank each, with words of its own and in a folder of its own.
    private func run(_ ranks: [(words: [String], folder: String)]) throws -> ProcessResult {
        let program = try MPILauncher.product("pixpro")
        let programs = ranks.enumerated().flatMap { number, rank in
            (number == 0 ? [] : [":"]) + ["-n", "1", "-wdir", rank.folder, program] + rank.words
        }
        return try MPILauncher.alone {
            try runProcess(
                "/usr/bin/env",
                ["mpirun", "--oversubscribe", "--bind-to", "none", "--timeout", "90"] + programs,
                environment: MPILauncher.environment, timeLimit: 100)
        }
    }

    private func expectRefusal(_ first: [String], _ second: [String], _ words: String...) throws {
        let result = try run([(first, "/"), (second, "/")])
        let messages = result.errorOutput.split(separator: "\n").filter { $0.hasPrefix("pixpro: error:") }
        #expect(result.status == 78 && messages.count == 1, "\(result)")
        for word in words { #expect(messages.first?.contains(word) == true, "no '\(word)' in \(result)") }
    }

    @Test func ofAnotherReference() throws {
        try withTemporaryDirectory { directory in
            let paths = try (0..<2).map { number in
                let reference = try Reference(), path = directory + "/\(number).safetensors"
                reference.tensors["weights.encoder.conv1.weight"]!.pointer[0] += Float(number)
                try reference.write(to: path)
                return ["verify", "--reference", path]
            }
            try expectRefusal(paths[0], paths[1], "reference", "copy one file to every host")
        }
    }

    @Test func ofAnotherConfiguration() throws {
        try SmallRun.withTrained { run in
            let words = ["evaluate", run.run]
            try expectRefusal(
                words, words + ["--set", "evaluation.correspondence=false"], "the configuration is not the same",
                "evaluation.correspondence is true", "false")
        }
        // A key that has ranks call one collective more.
        try SmallRun.with { run in
            let key = "parallel.checkCollectives"
            try expectRefusal(
                ["train"] + run.arguments(), ["train"] + run.arguments(["\(key)=true"]),
                "the configuration is not the same", "\(key) is false")
        }
    }

    /// A copy of the pictures that are scored has a folder more: what rank zero lists counts on all.
    @Test func ofAnotherListOfScoredPictures() throws {
        try SmallRun.withTrained { run in
            let images = SmallRun.data + "/images"
            let folders = try (0..<2).map { number in
                let folder = run.directory + "/\(number)"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                for part in ["train", "val"] {
                    try FileManager.default.copyItem(atPath: "\(images)/\(part)", toPath: "\(folder)/\(part)")
                }
                return folder
            }
            let classes = try FileManager.default.contentsOfDirectory(atPath: folders[1] + "/train").sorted()
            try FileManager.default.copyItem(
                atPath: "\(folders[1])/train/\(classes[1])", toPath: "\(folders[1])/train/0-before-all")
            let settings = [
                "evaluation.classification.train=train", "evaluation.classification.validation=val",
                "evaluation.correspondence=false",
            ]
            let words = ["evaluate", run.run] + settings.flatMap { ["--set", $0] }
            let alone = try self.run([(words, folders[0])]), both = try self.run(folders.map { (words, $0) })
            #expect(alone.status == 0 && both.status == 0, "\(alone)\n\(both)")
            for score in ["knn top-1", "linear top-1"] {
                let lines = [alone, both].map { result in
                    result.output.split(separator: "\n").first { $0.hasPrefix(score) }
                }
                #expect(lines[0] != nil && lines[0] == lines[1], "\(lines)")
            }
        }
    }
}
