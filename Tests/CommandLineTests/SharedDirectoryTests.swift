import Foundation
import SystemPackage
import TestSupport
import Testing

/// A run directory that several people of a group use.
@Suite struct SharedDirectoryTests {
    /// All files of a run have the rights that the umask leaves, those of the launcher too: a colleague may go on with it.
    @Test func allFilesFollowTheUmask() throws {
        try SmallRun.with { run in
            let images = run.directory + "/images"
            try FileManager.default.copyItem(atPath: SmallRun.data + "/images/train", toPath: images)
            let folders = try FileManager.default.contentsOfDirectory(atPath: images)
            try Data("cut".utf8).write(to: URL(fileURLWithPath: "\(images)/\(folders[0])/cut.jpg"))
            let settings = ["schedule.steps=2", "checkpoint.everySteps=1", "batch.global=30"]
            let command =
                [SmallRun.project + "/launch/train", "--program", try MPILauncher.product("pixpro")]
                + ["--ranks-per-host", "1"] + run.arguments(settings, [images])
            let result = try MPILauncher.alone {
                try runProcess(
                    "/bin/sh", ["-c", "umask 002; exec \"$@\"", "sh"] + command, environment: MPILauncher.environment,
                    timeLimit: 90)
            }
            #expect(result.status == 0, "\(result)")
            let names = try FileManager.default.subpathsOfDirectory(atPath: run.run)
            for name in names {
                let attributes = try FileManager.default.attributesOfItem(atPath: run.run + "/" + name)
                let rights = try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
                let isFolder = attributes[.type] as? FileAttributeType == .typeDirectory
                #expect(rights == (isFolder ? 0o775 : 0o664), "\(name): \(String(rights, radix: 8))")
            }
            for name in [
                "log.txt", "metrics.jsonl", "lock", "config.resolved.yaml", "skipped.txt", "report.html",
                "launcher/log.txt", "launcher/hosts", "launcher/mark", "checkpoints/step-00000002/manifest.json",
            ] { #expect(names.contains(name), "\(name) of \(names)") }
        }
    }
}
