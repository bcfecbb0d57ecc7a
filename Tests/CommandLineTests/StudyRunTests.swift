import Foundation
import MessagePassing
import TestSupport
import Testing

/// A small study from its file to its table, stopped on the way.
@Suite(.serialized) struct StudyRunTests {
    private static func yaml(_ directory: String) -> String {
        """
        directory: \(directory)/study
        score: mIoU
        resamples: 20
        labels:
          - {fraction: 1.0, seeds: 2}
        x-run: &run
          parallel: {threads: 1, oversubscribe: true}
          precision: float32
          checkpoint: {everySteps: 1, keep: 1}
        training:
          <<: *run
          task: segmentation
          data:
            roots: [\(SmallRun.data)/segmentation/train/images]
            labels: \(SmallRun.data)/segmentation/train/labels
            classes: 4
            cropSize: 48
            workers: 0
          model: {architecture: resnet18, headChannels: 16}
          schedule: {epochs: 12, warmupEpochs: 1, steps: 2}
          batch: {global: 5}
          evaluation:
            everyEpochs: 0
            validation:
              images: \(SmallRun.data)/segmentation/val/images
              labels: \(SmallRun.data)/segmentation/val/labels
        pretrainings:
          plain:
            <<: *run
            data: {roots: [\(SmallRun.data)/images/train], imageSize: 64, workers: 0}
            model: {architecture: resnet18, projectorWidth: 64}
            schedule: {epochs: 40, warmupEpochs: 2, steps: 2}
            batch: {global: 12}
            evaluation: {everyEpochs: 0}
        starts:
          - name: random
          - {name: pretrained, pretraining: plain}
        """
    }

    private func study(_ file: String, _ options: String...) throws -> ProcessResult {
        try MPILauncher.alone {
            try runProcess(
                SmallRun.project + "/launch/study",
                ["--program", try MPILauncher.product("pixpro"), "--ranks-per-host", "1"] + options + [file],
                environment: MPILauncher.environment, timeLimit: 400)
        }
    }

    @Test func aStudyGoesOnWhereItWasAndPrintsItsTable() throws {
        try withTemporaryDirectory { directory in
            let file = directory + "/study.yaml", results = directory + "/study/results"
            try Self.yaml(directory).write(toFile: file, atomically: true, encoding: .utf8)
            @Sendable func done() -> [String] {
                // Not there yet.
                ((try? FileManager.default.contentsOfDirectory(atPath: results)) ?? []).sorted()
            }
            // Weights that do not tell where they are from are of an earlier training.
            let weights = directory + "/study/weights/plain.safetensors"
            try FileManager.default.createDirectory(
                atPath: directory + "/study/weights", withIntermediateDirectories: true)
            try Data("of another training".utf8).write(to: URL(fileURLWithPath: weights))
            let (stopped, _) = try whileRunning { wait in
                wait { !done().isEmpty }
                for process in JobProcess.all({ $0.contains(file) && $0.contains("study") }) {
                    kill(process.id, SIGTERM)
                }
            } _: {
                try study(file)
            }
            #expect(stopped.status == stoppedExitStatus, "\(stopped)")
            let first = try Data(contentsOf: URL(fileURLWithPath: "\(results)/random-100-seed1.json"))
            #expect(done().count < 5)

            let finished = try study(file)
            #expect(finished.status == 0 && !finished.errorOutput.contains("random-100-seed1\n"), "\(finished)")
            #expect(
                done() == [
                    "pretrained-100-seed1.json", "pretrained-100-seed2.json", "pretraining-plain.json",
                    "random-100-seed1.json", "random-100-seed2.json",
                ])
            #expect(try Data(contentsOf: URL(fileURLWithPath: "\(results)/random-100-seed1.json")) == first)
            let table = try String(contentsOfFile: directory + "/study/table.md", encoding: .utf8)
            #expect(finished.output == table && table.contains("| 100 %  | pretrained | 2     |"), "\(table)")
            let page = try String(contentsOfFile: directory + "/study/report.html", encoding: .utf8)
            #expect(
                page.contains("<svg") && page.contains("| 100 %  | pretrained | 2     |") && !page.contains("=\"http"))
            let log = try String(
                contentsOfFile: directory + "/study/runs/pretrained-100-seed2/log.txt", encoding: .utf8)
            #expect(log.contains("begins with 100 tensors of \(directory)/study/weights/plain.safetensors"), "\(log)")

            let again = try study(file)
            #expect(again.status == 0 && again.output == table && again.seconds < 60, "\(again)")
            // Runs that began with the weights of a training that is to be done anew are none of its own.
            let pretraining = "\(results)/pretraining-plain.json"
            try FileManager.default.moveItem(atPath: pretraining, toPath: pretraining + "-away")
            let anew = try study(file)
            #expect(
                anew.status == 78 && anew.errorOutput.contains("2 runs began with its weights before"), "\(anew)")
            try FileManager.default.moveItem(atPath: pretraining + "-away", toPath: pretraining)
            // Weights of another training are exported anew, and those that a run began with are held against what is there.
            let exported = try Data(contentsOf: URL(fileURLWithPath: weights))
            try Data("of another training".utf8).write(to: URL(fileURLWithPath: weights))
            try "0 0".write(toFile: weights + ".origin", atomically: true, encoding: .utf8)
            let restored = try study(file)
            #expect(restored.status == 0 && restored.output == table, "\(restored)")
            #expect(try Data(contentsOf: URL(fileURLWithPath: weights)) == exported)
            let begun = directory + "/study/configurations/pretrained-100-seed2.yaml.weights"
            let now = try String(contentsOfFile: begun, encoding: .utf8)
            try "0 0".write(toFile: begun, atomically: true, encoding: .utf8)
            let old = try study(file)
            #expect(
                old.status == 78 && old.errorOutput.contains("pretrained-100-seed2 began with other weights than"),
                "\(old)")
            try now.write(toFile: begun, atomically: true, encoding: .utf8)
            try Self.yaml(directory).replacing("resamples: 20", with: "resamples: 10")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let fewer = try study(file)
            #expect(
                fewer.status == 78 && fewer.errorOutput.contains("has 20 draws of 'mIoU', and resamples is 10"),
                "\(fewer)")
            try Self.yaml(directory).replacing("cropSize: 48", with: "cropSize: 64")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let other = try study(file)
            #expect(
                other.status == 78
                    && other.errorOutput.contains("was trained with another configuration ('  cropSize: 48"),
                "\(other)")
        }
    }

    @Test func aMistakeIsSaidBeforeAnythingRuns() throws {
        try withTemporaryDirectory { directory in
            let file = directory + "/study.yaml"
            try Self.yaml(directory).replacing("/segmentation/val/labels", with: "/none")
                .write(toFile: file, atomically: true, encoding: .utf8)
            let result = try study(file, "--dry-run")
            #expect(
                result.status == 78 && result.errorOutput.contains("study.yaml:26:")
                    && result.errorOutput.contains("evaluation.validation.labels names \(SmallRun.data)/none"),
                "\(result)")
            #expect(!FileManager.default.fileExists(atPath: directory + "/study"))
        }
    }
}
