import Checkpointing
import Evaluation
import Files
import Foundation
import ImagePipeline
import Learning
import SystemPackage
import TestSupport
import Testing
import Training

/// What a run of one epoch of four steps leaves in its files and on the screen.
@Suite struct RunReporterTests {
    @Test func stepsAreRecordedAndLinesAreRare() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            try run.begin(reporter)
            let observation = StepObservation(metrics: ["featureSpread": 1], warnings: ["something is odd"])
            for step in 1...4 { try run.step(reporter, step, loss: -Double(step), observation: observation) }
            #expect(run.screen.text.contains("warning: something is odd"))
            let records = try run.records()
            #expect(records.map(\.kind) == [.start, .train, .train, .train, .train])
            #expect(records.dropFirst().map { $0.values[MetricRecord.loss] } == [-1, -2, -3, -4])
            #expect(records.dropFirst().map(\.epoch) == [0.25, 0.5, 0.75, 1])
            let last = try #require(records.last).values
            #expect(last["imagesPerSecond"] == 4 && last["featureSpread"] == 1)
            #expect(last["secondsCompute"] == 1 && last["secondsData"] == 0.5 && last["secondsComputeMost"] == 1)
            // The first step and the end of the epoch.
            let lines = run.screen.text.split(separator: "\n").filter { $0.hasPrefix("epoch ") }
            #expect(lines.map { $0.split(separator: " ")[3] } == ["1/8", "4/8"])
            #expect(
                run.screen.text.contains(
                    "pixpro at 224 px, 12 trained parameters, 33 images, float32\n2 ranks × 4 images"))
            #expect(run.screen.text.contains("slowest rank"))
            #expect(try run.log().contains("  info     epoch 1/2  step 4/8"))
        }
    }

    @Test func otherRanksAreSilent() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter(isRoot: false)
            try run.begin(reporter)
            try run.step(reporter, 1)
            reporter.warn("nothing")
            reporter.writeReport()
            reporter.finish(RunPosition(), [], peakMemory: 1)
            #expect(reporter.hasScores(of: RunPosition()))
            #expect(run.screen.text.isEmpty)
            #expect(!FileManager.default.fileExists(atPath: run.directory.metrics.string))
        }
    }

    @Test func thePageShowsWhatTheFilesHave() throws {
        try ReportedRun.with { run in
            var reporter = try run.reporter()
            try run.begin(reporter)
            for step in 1...3 { try run.step(reporter, step, loss: -Double(step)) }
            reporter.writeReport()
            let page = try WholeFile.text(of: run.directory.report)
            #expect(
                page.hasPrefix("<!doctype html>") && page.contains("Training loss")
                    && page.contains("Images per second"))
            #expect(page.contains("run.directory") || page.contains("directory:"))
            #expect(
                !page.contains("http://") || page.components(separatedBy: "http://").count == 2, "a network is needed")
            #expect(!page.contains("Stops survived"))
            // A run that goes on shows what was before as well, and that it stopped.
            reporter = try run.reporter()
            try run.begin(reporter, step: 2, from: "step-2")
            try run.step(reporter, 3, loss: -3)
            #expect(try run.records().filter { $0.kind == .train }.map(\.step) == [1, 2, 3])
            reporter.writeReport()
            #expect(try WholeFile.text(of: run.directory.report).contains("Stops survived"))
            #expect(run.screen.text.contains("resuming from step-2: step 2, epoch 0"))
        }
    }

    @Test func picturesOfScoresAreOnThePage() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            try run.begin(reporter)
            try run.step(reporter, 4, loss: -1)
            var position = RunPosition()
            (position.step, position.epoch) = (4, 1)
            let image = RGBImage(width: 2, height: 1, pixels: [255, 0, 0, 0, 0, 255])
            reporter.evaluated(
                EvaluationReport(
                    scores: [Score(name: "L1", value: 0.5, floor: 0.75, trained: 1, scored: 1)],
                    pictures: [try EvaluationPicture(name: "street/a <b>", image)]), position)
            let page = try WholeFile.text(of: run.directory.report)
            let png = Data(try encodePNG(rgb: image.pixels, width: 2, height: 1)).base64EncodedString()
            #expect(page.contains(png) && page.contains("street/a &lt;b&gt;") && page.contains("0.750"))
            #expect(
                FileSystem.exists(
                    run.directory.pictures.appending("step-00000004").appending("street").appending("a <b>.png")))
        }
    }

    @Test func severalRunsAreCompared() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            try run.begin(reporter)
            try run.step(reporter, 1, loss: -1)
            let record = try RunRecord(run.directory)
            let page = try ReportPage([record, record]).html()
            #expect(page.contains("<h1>run, run</h1>") && page.contains("Training loss"))
            #expect(throws: TrainingError.self) { try RunRecord(RunDirectory(run.directory.path.appending("nothing"))) }
        }
    }

    @Test func scoresAreRememberedByTheirStep() throws {
        try ReportedRun.with { run in
            var reporter = try run.reporter()
            try run.begin(reporter)
            var position = RunPosition()
            (position.step, position.epoch) = (4, 1)
            #expect(!reporter.hasScores(of: position))
            let score = Score(name: "knn top-1", value: 0.5, floor: 0.25, chance: nil, trained: 3, scored: 4)
            reporter.evaluated(EvaluationReport(scores: [score]), position)
            #expect(reporter.hasScores(of: position))
            #expect(
                try #require(try run.records().last).values == [
                    "knn top-1": 0.5, "knn top-1Random": 0.25, "knn top-1Best": 0.5, "knn top-1BestStep": 4,
                ])
            reporter = try run.reporter()
            try run.begin(reporter, step: 4, from: "step-4")
            #expect(reporter.hasScores(of: position))
        }
    }

    /// In batches of another size a run that goes on has seen the epoch's end already, some steps after it was scored.
    @Test func anEpochIsScoredOnceWhateverTheBatch() throws {
        try ReportedRun.with { run in
            var reporter = try run.reporter()
            try run.begin(reporter)
            var position = RunPosition()
            (position.step, position.epoch) = (4, 1)
            let score = Score(name: "knn top-1", value: 0.5, floor: nil, chance: nil, trained: 3, scored: 4)
            reporter.evaluated(EvaluationReport(scores: [score]), position)
            reporter = try run.reporter()
            try run.begin(reporter, step: 5, from: "step-5")
            position.step = 5
            #expect(reporter.hasScores(of: position))
            position.epoch = 2
            #expect(!reporter.hasScores(of: position))
        }
    }

    /// What one file does not take, the others get: a picture whose place is taken, and metrics that cannot be cut when the run
    /// goes back.
    @Test func oneReportThatFailsCostsNoOther() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter(), files = FileManager.default
            try run.begin(reporter)
            for step in 1...3 { try run.step(reporter, step) }
            let metrics = run.directory.metrics.string
            try files.moveItem(atPath: metrics, toPath: metrics + "-away")
            try files.createDirectory(atPath: metrics, withIntermediateDirectories: false)
            var position = RunPosition()
            position.step = 1
            reporter.wentBack("ranks differ", from: 3, to: position, "step-1", BestScores())
            try run.step(reporter, 2, loss: -2)
            try files.removeItem(atPath: metrics)
            try files.moveItem(atPath: metrics + "-away", toPath: metrics)
            try run.step(reporter, 3, loss: -3)
            let trained = try run.records().filter { $0.kind == .train }
            #expect(trained.map(\.step) == [1, 2, 3] && trained.map { $0.values["loss"] } == [-1, -2, -3])

            let image = RGBImage(width: 2, height: 2, pixels: [UInt8](repeating: 9, count: 12))
            let score = Score(name: "mIoU", value: 0.5, floor: nil, chance: nil, trained: 3, scored: 4)
            (position.step, position.epoch) = (4, 1)
            try reporter.evaluated(
                EvaluationReport(
                    scores: [score],
                    pictures: ["a", "a.png/b", "../../c"].map { try EvaluationPicture(name: $0, image) }), position)
            let folder = run.directory.pictures.appending("step-00000004")
            #expect(try FileSystem.names(in: folder).map(\.string) == ["a.png", "c.png"])
            #expect(run.screen.text.contains("cannot write a report: "))
        }
    }

    @Test func anUnreadablePictureIsNamedOnceAndCountedAnewAfterAStart() throws {
        try ReportedRun.with { run in
            var reporter = try run.reporter()
            try run.begin(reporter)
            #expect(reporter.unreadable(["b.jpg\tis empty", "a.jpg\tis cut short"]) == 2)
            #expect(reporter.unreadable(["b.jpg\tis gone"]) == 2)
            #expect(try WholeFile.text(of: run.directory.skipped) == "a.jpg\tis cut short\nb.jpg\tis empty\n")
            // Another start finds the file with a line that a crash has cut.
            try AppendedFile(path: run.directory.skipped).append(Array("half.jpg\tis".utf8))
            reporter = try run.reporter()
            try run.begin(reporter, step: 1, from: "step-1")
            #expect(reporter.unreadable(["a.jpg\tis cut short", "c.jpg\tis gone", "half.jpg\tis cut short"]) == 3)
            let warnings = run.screen.text.split(separator: "\n").filter { $0.contains("skipping") }
            #expect(
                warnings == [
                    "warning: skipping a.jpg: is cut short", "warning: skipping b.jpg: is empty",
                    "warning: skipping c.jpg: is gone", "warning: skipping half.jpg: is cut short",
                ])
            #expect(
                try WholeFile.text(of: run.directory.skipped).split(separator: "\n") == [
                    "a.jpg\tis cut short", "b.jpg\tis empty", "c.jpg\tis gone", "half.jpg\tis cut short",
                ])
            // One that begins anew keeps nothing of it.
            try run.begin(try run.reporter())
            #expect(!FileSystem.exists(run.directory.skipped))
        }
    }

    /// Each new name costs its own line: of a million bad pictures the file is not written a million times.
    @Test func skippedFilesAreOnlyAppended() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            try run.begin(reporter)
            _ = reporter.unreadable(["a.jpg\tis empty"])
            let first = FileIdentity(of: run.directory.skipped)
            _ = reporter.unreadable(["b.jpg\tis empty"])
            #expect(first != nil && FileIdentity(of: run.directory.skipped) == first)
        }
    }

    @Test func stepsThatAreNotFiniteAreKeptWithTheirPictures() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            reporter.nonFinite("the loss of step 3 is not finite", step: 3, pictures: ["a", "b"])
            reporter.nonFinite("the loss of step 5 is not finite", step: 5, pictures: ["c"])
            #expect(try WholeFile.text(of: run.directory.nonFinite) == "3\ta\n3\tb\n5\tc\n")
            #expect(run.screen.text.hasSuffix("warning: the loss of step 5 is not finite\n"))
        }
    }

    @Test func savesAreSaidWithTheirTimeAndFailuresWithTheirReason() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            reporter.saved(
                .committed(
                    directory: FilePath("x/step-1"), byteCount: 3 << 20, seconds: 1.25, warnings: ["old ones stay"]))
            reporter.saved(.failed("the disk is full"))
            #expect(
                run.screen.text == """
                    saved x/step-1 (3 MiB in 1.25 s)
                    warning: old ones stay
                    warning: the checkpoint was NOT saved: the disk is full; training goes on, earlier checkpoints are \
                    untouched

                    """)
        }
    }

    /// A disk that takes no reports does not end training, and is named once.
    @Test func reportsThatCannotBeWrittenAreSaidOnce() throws {
        try ReportedRun.with { run in
            let reporter = try run.reporter()
            try run.begin(reporter)
            try run.step(reporter, 1)
            try FileManager.default.createDirectory(
                atPath: run.directory.report.string, withIntermediateDirectories: true)
            for _ in 0..<3 { reporter.writeReport() }
            let warnings = run.screen.text.split(separator: "\n").filter { $0.contains("cannot write a report") }
            #expect(warnings.count == 1 && warnings[0].contains("report.html"), "\(warnings)")
        }
    }
}
