import Foundation
import TestSupport
import Testing

/// A run that goes on while the pictures of its folder have become others.
@Suite(.serialized) struct OtherPicturesTests {
    /// Trains three steps of four an epoch on 27 pictures, changes the folder, and goes on.
    private func resumed(_ steps: Int, _ change: (_ folder: String) throws -> Void) throws -> (ProcessResult, SmallRun)
    {
        try withTemporaryDirectory { directory in
            let run = SmallRun(directory: directory), folder = directory + "/photos"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            for number in 0..<27 { try add(number, to: folder) }
            let settings = ["data.imageSize=32", "batch.global=6", "schedule.epochs=2", "schedule.warmupEpochs=0"]
            let first = try run.train(ranks: 1, settings + ["schedule.steps=3"], images: [folder])
            #expect(first.status == 0, "\(first)")
            try change(folder)
            let result = try run.train(ranks: 1, settings + ["schedule.steps=\(steps)"], images: [folder])
            #expect(result.status == 0, "\(result)")
            #expect(try run.losses().count > 3)
            return (result, run)
        }
    }

    private func add(_ number: Int, to folder: String) throws {
        try FileManager.default.copyItem(
            atPath: SmallRun.data + "/images/train/" + Self.names[number % Self.names.count],
            toPath: "\(folder)/\(number).jpg")
    }

    private static let names: [String] = {
        do {
            return try FileManager.default.subpathsOfDirectory(atPath: SmallRun.data + "/images/train")
                .filter { $0.hasSuffix(".jpg") }.sorted()
        } catch {
            preconditionFailure("no test pictures: \(error)")
        }
    }()

    @Test func theSameOnesAreNotSpokenOf() throws {
        let (result, _) = try resumed(5) { _ in }
        #expect(!result.errorOutput.contains("the pictures are not those"), "\(result)")
        #expect(result.errorOutput.contains("finished after 5 steps"), "\(result)")
    }

    @Test func moreAreSaidWithBothCounts() throws {
        // Seventeen steps an epoch: twelve of the first count as done, and 22 are left.
        let (result, _) = try resumed(1000) { folder in for number in 27..<104 { try add(number, to: folder) } }
        #expect(
            result.errorOutput.contains(
                "was made with (104 now, 27 then): the run goes on with the new ones from epoch 1 on, 63% of which counts "
                    + "as done"), "\(result)")
        #expect(result.errorOutput.contains("finished after 26 steps"), "\(result)")
    }

    @Test func fewerAreSaidWithBothCounts() throws {
        let (result, _) = try resumed(1000) { folder in
            for number in 7..<27 { try FileManager.default.removeItem(atPath: "\(folder)/\(number).jpg") }
        }
        #expect(
            result.errorOutput.contains("(7 now, 27 then): the run goes on with the new ones from epoch 1 on, 0%"),
            "\(result)")
        #expect(result.errorOutput.contains("finished after 5 steps"), "\(result)")
    }

    @Test func othersOfTheSameNumberAreSaid() throws {
        let (result, _) = try resumed(1000) { folder in
            for number in 0..<27 {
                try FileManager.default.moveItem(
                    atPath: "\(folder)/\(number).jpg", toPath: "\(folder)/new-\(number).jpg")
            }
        }
        #expect(result.errorOutput.contains("(27 now as then, but not the same ones)"), "\(result)")
        #expect(result.errorOutput.contains("finished after 8 steps"), "\(result)")
    }
}
