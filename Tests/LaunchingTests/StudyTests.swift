import DenseTasks
import Foundation
import Launching
import Learning
import PixelLearning
import Settings
import SystemPackage
import TestSupport
import Testing
import Training

/// A study as its file says it: its runs, and what is wrong with it.
@Suite struct StudyTests {
    static let tasks: [any TaskDefinition.Type] = [
        PretrainingSettings.self, SegmentationSettings.self, DetectionSettings.self,
    ]

    /// A study of pictures in `folder`, whose labels lie in the same one.
    static func yaml(_ folder: String) -> String {
        """
        directory: \(folder)/study
        score: mIoU
        resamples: 10
        labels:
          - {fraction: 0.1, seeds: 1}
          - {fraction: 1.0, seeds: 2}
        training:
          task: segmentation
          data: {roots: [\(folder)], labels: \(folder), classes: 11}
          schedule: {epochs: 3}
          evaluation: {validation: {images: \(folder), labels: \(folder)}}
        x-shared: &shared
          data: {roots: [\(folder)]}
        pretrainings:
          plain:
            <<: *shared
        starts:
          - name: random
          - {name: PixPro backbone, pretraining: plain, network: online, training: {schedule: {epochs: 4}}}
        """
    }

    private func problems(_ change: (String) -> String) throws -> String {
        try withTemporaryDirectory { folder in
            do {
                let file = try StudyFile(yaml: change(Self.yaml(folder)), name: "study.yaml")
                _ = try file.configurations(tasks: Self.tasks)
                return ""
            } catch let error as ConfigurationError {
                return error.description
            }
        }
    }

    @Test func runsThatNeedNoPretrainingComeFirstAndSeedsInTurn() throws {
        try withTemporaryDirectory { folder in
            let file = try StudyFile(yaml: Self.yaml(folder), name: "study.yaml"), study = file.study
            #expect(
                study.jobs.map(study.name(of:)) == [
                    "random-10-seed1", "random-100-seed1", "random-100-seed2", "pretraining-plain",
                    "pixpro-backbone-10-seed1", "pixpro-backbone-100-seed1", "pixpro-backbone-100-seed2",
                ])
            let configurations = try file.configurations(tasks: Self.tasks)
            #expect(Set(configurations.keys) == Set(study.jobs.map(study.name(of:))))
            let random = try #require(configurations["random-10-seed1"])
            let started = try #require(configurations["pixpro-backbone-100-seed2"])
            #expect(random.run.seed == 1 && started.run.seed == 2)
            #expect(random.schedule.epochs == 3 && started.schedule.epochs == 4)
            let settings = [random, started].compactMap { $0.task as? SegmentationSettings }
            #expect(settings.map(\.data.labelFraction) == [0.1, 1])
            #expect(settings[0].start == nil)
            #expect(settings[1].start?.string == folder + "/study/weights/plain-online.safetensors")
            #expect(random.run.directory.string == folder + "/study/runs/random-10-seed1")
            #expect(configurations["pretraining-plain"]?.taskName.name == "pretraining")
        }
    }

    @Test func pretrainingsMayBeKeptWhereOtherStudiesFindThem() throws {
        try withTemporaryDirectory { folder in
            let yaml = Self.yaml(folder) + "\npretrainingDirectory: \(folder)/shared"
            let file = try StudyFile(yaml: yaml, name: "study.yaml")
            let configurations = try file.configurations(tasks: Self.tasks)
            let started = try #require(configurations["pixpro-backbone-10-seed1"])
            let pretraining = try #require(configurations["pretraining-plain"])
            #expect(pretraining.run.directory.string == folder + "/shared/runs/pretraining-plain")
            #expect(started.run.directory.string == folder + "/study/runs/pixpro-backbone-10-seed1")
            let settings = try #require(started.task as? SegmentationSettings)
            #expect(settings.start?.string == folder + "/shared/weights/plain-online.safetensors")
        }
        #expect(try problems { $0 + "\npretrainingDirectory: [a]" }.contains("'pretrainingDirectory' must be a path"))
    }

    @Test func aStartMayBeAFileThatIsThere() throws {
        try withTemporaryDirectory { folder in
            func yaml(_ file: String) -> String {
                Self.yaml(folder).replacing("- name: random", with: "- {name: given, weights: \(folder)/\(file)}")
            }
            try Data().write(to: URL(filePath: folder + "/resnet.pth"))
            let configurations = try StudyFile(yaml: yaml("resnet.pth"), name: "study.yaml")
                .configurations(tasks: Self.tasks)
            let settings = try #require(configurations["given-10-seed1"]?.task as? SegmentationSettings)
            #expect(settings.start?.string == folder + "/resnet.pth")
        }
        let missing = try problems {
            $0.replacing("- name: random", with: "- {name: given, weights: /nonexistent/a.pth}")
        }
        #expect(missing.contains("model.start names /nonexistent/a.pth, which is not there"), "\(missing)")
        #expect(
            try problems { $0.replacing("network: online", with: "network: online, weights: a.pth") }
                .contains("'weights' and 'pretraining' are both there"))
    }

    @Test func whatIsWrongIsSaidBeforeAnythingRuns() throws {
        #expect(try problems { $0 } == "")
        #expect(
            try problems { $0.replacing("score: mIoU", with: "scores: mIoU") }.contains(
                "study.yaml:2:1: unknown key 'scores'"))
        #expect(try problems { $0.replacing("score: mIoU\n", with: "") }.contains("lacks 'score'"))
        #expect(try problems { $0.replacing("fraction: 0.1", with: "fraction: 10") }.contains("> 0 and <= 1"))
        #expect(try problems { $0.replacing("seeds: 1}", with: "seeds: 0}") }.contains("from 1 to 1000"))
        #expect(
            try problems { $0.replacing("pretraining: plain", with: "pretraining: plane") }
                .contains("the pretrainings are plain"))
        #expect(try problems { $0.replacing("name: PixPro backbone", with: "name: Random") }.contains("told apart"))
        #expect(
            try problems { $0.replacing("labels:\n", with: "labels:\n  - {fraction: 0.1001, seeds: 1}\n") }
                .contains("two runs would be called 'random-10-seed1'"))
        // Of the runs' own keys, at their places in the study's file, once.
        let unknown = try problems { $0.replacing("schedule: {epochs: 3}", with: "schedule: {epoch: 3}") }
        #expect(unknown.contains("study.yaml:10:") && unknown.contains("did you mean 'schedule.epochs'"))
        #expect(unknown.matches(of: /unknown key/).count == 1)
        #expect(
            try problems { $0.replacing("schedule: {epochs: 4}", with: "run: {seed: 4}") }
                .contains("'run.seed' is for the study itself to decide"))
        let missing = try problems { $0.replacing("{roots: [", with: "{roots: [/nonexistent") }
        #expect(missing.contains("data.roots names /nonexistent") && missing.contains("is not there"))
        #expect(try problems { _ in "- a" }.contains("no mapping of keys"))
        #expect(try problems { _ in "a: [" }.contains("not valid YAML"))
    }
}
