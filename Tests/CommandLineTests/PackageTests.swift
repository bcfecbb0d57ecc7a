import Foundation
import TestSupport
import Testing

/// `launch/package` with the program that is built already.
@Suite struct PackageTests {
    private static let hasTools = ["patchelf", "readelf"].allSatisfy { tool in
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
        }
    }

    @Test(.enabled(if: hasTools, "needs patchelf and binutils"))
    func whatIsPackedRunsElsewhereAndLoadsItsOwnLibraries() throws {
        try withTemporaryDirectory { folder in
            let packed = try runProcess(
                SmallRun.project + "/launch/package",
                ["--unpacked", "--output", folder, "--program", try MPILauncher.product("pixpro")], timeLimit: 150)
            #expect(packed.status == 0, "\(packed)")
            let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
            let root = folder + "/elsewhere"
            try FileManager.default.moveItem(atPath: "\(folder)/\(name)", toPath: root)

            let loaded = try runProcess("/usr/bin/ldd", [root + "/bin/pixpro"])
            for library in ["libopenblas", "libjpeg", "libpng", "libswiftCore", "libstdc++"] {
                let line = loaded.output.split(separator: "\n").first { $0.contains(library) }
                #expect(line?.contains(" => \(root)/") == true, "\(library): \(loaded)")
            }
            #expect(loaded.output.contains("libmpi.so") && !loaded.output.contains("not found"), "\(loaded)")
            #expect(!FileManager.default.fileExists(atPath: root + "/lib/libmpi.so.40"))
            #expect(!FileManager.default.fileExists(atPath: root + "/lib/libc.so.6"))
            let licences = try FileManager.default.contentsOfDirectory(atPath: root + "/licences")
            #expect(Set(licences).isSuperset(of: ["swift.txt", "Yams.txt", "libopenblas0-pthread.txt"]), "\(licences)")
            let needs = try String(contentsOfFile: root + "/NEEDS.txt", encoding: .utf8)
            #expect(needs.hasPrefix("glibc 2.") && needs.contains("libmpi.so.40"), "\(needs)")

            // The launcher finds its program beside it.
            let planned = try runProcess(
                root + "/launch/train",
                ["--dry-run", "--config", root + "/configs/small-data.yaml", root], timeLimit: 60)
            #expect(planned.status == 0 && planned.output.contains("\(root)/bin/pixpro train"), "\(planned)")
        }
    }
}
