import Files
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Files that people have, and places that they write to, through the program as they run it.
@Suite struct OddFilesTests {
    /// Swift's own processes cannot be given arguments that are no UTF-8: a shell spells them.
    private func shell(_ command: String) throws -> ProcessResult {
        try runProcess(
            "/usr/bin/env", ["bash", "-c", command], environment: MPILauncher.environment, timeLimit: 120)
    }

    @Test func aRunTrainsOnPicturesAndIntoADirectoryWhoseNamesAreNoText() throws {
        try SmallRun.with { run in
            let folder = FilePath(bytes: Array((run.directory + "/caf").utf8) + [0xE9])
            try FileSystem.makeDirectories(folder)
            let names = try FileManager.default.subpathsOfDirectory(atPath: SmallRun.data + "/images/train")
            for (number, name) in names.filter({ $0.hasSuffix(".jpg") }).enumerated() {
                let bytes = try WholeFile.bytes(of: "\(SmallRun.data)/images/train/\(name)")
                try WholeFile.write(bytes, to: folder.appending("\(number).jpg"))
            }
            // A dead link that comes first by name, and the run's own directory among the pictures.
            let link = folder.appending("+.jpg")
            #expect(link.withPlatformString { symlink("nowhere", $0) } == 0)
            let program = try MPILauncher.product("pixpro")
            let settings = (SmallRun.defaults + ["schedule.steps=1"]).map { "--set \($0)" }.joined(separator: " ")
            let spelled = "$'\(run.directory)/caf\\xe9'"
            let command =
                "\(program) train \(settings) --set run.directory=\(spelled)/run-$'\\xff' \(spelled) 2>&1"
            let first = try shell(command)
            #expect(first.status == 0, "\(first)")
            #expect(first.output.contains("30 images") && first.output.contains("caf\\xE9/run-\\xFF"), "\(first)")
            #expect(first.output.contains("skipping") && first.output.contains("caf\\xE9/+.jpg"), "\(first)")
            // Its pictures are there now, and are not learned from.
            let second = try shell(command.replacing("schedule.steps=1", with: "schedule.steps=2"))
            #expect(second.status == 0 && second.output.contains("30 images"), "\(second)")
            #expect(second.output.contains("resuming from"), "\(second)")
            let entries = try FileSystem.names(in: folder).map(\.shown)
            #expect(entries.contains("run-\\xFF") && entries.count == 32, "\(entries)")
            // Exports go through links and into pipes, and leave both what they are.
            let exports = run.directory + "/exports"
            let result = try shell(
                """
                mkdir \(exports) && cd \(exports) && ln -s real.safetensors link && mkfifo pipe && (cat pipe > copy &) \
                && \(program) export \(spelled)/run-$'\\xff' -o link && \(program) export \(spelled)/run-$'\\xff' -o pipe \
                && sleep 0.2 && test -L link && test -p pipe && cmp copy real.safetensors && echo same
                """)
            #expect(result.status == 0 && result.output.contains("same"), "\(result)")
        }
    }
}
