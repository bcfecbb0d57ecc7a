import Foundation
import ImagePipeline
import MessagePassing
import TestSupport
import Testing
import Training

/// Label maps whose form is right and in which there is nothing to score, or less than the configuration says.
@Suite(.serialized) struct LabelContentTests {
    /// The test data's segmentation pictures with labels changed by `change`, as settings.
    private func settings(_ directory: String, classes: Int, _ change: (UInt8) -> UInt8) throws -> [String] {
        var settings = ["evaluation.segmentation.classes=\(classes)", "evaluation.correspondence=false"]
        for (part, name) in [("train", "train"), ("validation", "val")] {
            let folder = directory + "/" + name
            try FileManager.default.copyItem(atPath: SmallRun.data + "/segmentation/" + name, toPath: folder)
            for label in try FileManager.default.contentsOfDirectory(atPath: folder + "/labels") {
                let url = URL(fileURLWithPath: folder + "/labels/" + label)
                let map = try decodeLabelMap(Array(Data(contentsOf: url)))
                try Data(encodePNG(gray: map.ids.map(change), width: map.width, height: map.height)).write(to: url)
            }
            settings += ["images", "labels"].map { "evaluation.segmentation.\(part).\($0)=\(folder)/\($0)" }
        }
        return settings
    }

    @Test(
        arguments: [
            (255, 255, "no pixel has a class, and "), (0, 255, "labelled pixels have the id 0, and "),
        ] as [(UInt8, UInt8, String)])
    func labelsWithoutTwoClassesAreAnErrorBeforeTheFirstStep(_ low: UInt8, _ high: UInt8, _ words: String) throws {
        try SmallRun.with { run in
            let settings = try settings(run.directory, classes: 2) { $0 == 0 ? low : high }
            let result = try run.train(ranks: 1, settings + ["evaluation.everyEpochs=1"])
            #expect(result.status == errorExitStatus && run.steps == 0, "\(result)")
            #expect(
                result.errorOutput.contains("the training labels of the segmentation score tell nothing apart: "),
                "\(result)")
            #expect(
                result.errorOutput.contains(words) && result.errorOutput.contains("have the void id 255; "), "\(result)"
            )
        }
    }

    @Test func classesThatNeverOccurAreNamed() throws {
        try SmallRun.with { run in
            let settings = try settings(run.directory, classes: 6) { $0 }
            let result = try run.train(
                ranks: 2,
                settings + ["schedule.epochs=1", "schedule.warmupEpochs=0", "evaluation.everyEpochs=1"], timeLimit: 150)
            #expect(result.status == 0, "\(result)")
            for part in ["training", "validation"] {
                #expect(result.errorOutput.contains("no pixel of the \(part) labels has class 4, 5\n"), "\(result)")
            }
        }
    }
}
