import Checkpointing
import Files
import Foundation
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite(.serialized) struct CheckpointTests {
    /// Runs a check and expects it to succeed; returns what it printed.
    @discardableResult
    private func check(
        _ name: String, ranks: Int = 2, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> String {
        let result = try MPILauncher.run("rank-checks", ranks: ranks, [name] + arguments)
        #expect(result.status == 0 && result.output.contains("ok \(name)"), "\(result)", sourceLocation: sourceLocation)
        return result.output
    }

    private func path(_ run: String, _ step: Int, _ file: String = "") -> String {
        let digits = String(step)
        return run + "/checkpoints/step-" + String(repeating: "0", count: 8 - digits.count) + digits
            + (file.isEmpty ? "" : "/" + file)
    }

    private func steps(_ run: String) throws -> [Int] {
        try CheckpointCatalog.list(runDirectory: FilePath(run)).map(\.step)
    }

    private func change(_ path: String, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        body(&bytes)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    @Test func savedByThreeLoadedByTwo() throws {
        try withTemporaryDirectory { run in
            try check("save", ranks: 3, [run, "3", "10", "20"])
            try check("load", [run, "20"])
        }
    }

    @Test func savingIsAsynchronous() throws {
        try withTemporaryDirectory { run in try check("asynchronous", [run]) }
    }

    /// Files' layout differs from the model's: a copy of all on every rank would take the memory of the whole state.
    @Test func everyTensorIsCopiedOnce() throws {
        try withTemporaryDirectory { run in try check("copies", ranks: 3, [run]) }
    }

    @Test func theTimeOfASaveIsItsOwn() throws {
        try withTemporaryDirectory { run in try check("save-seconds", [run]) }
    }

    @Test func aSlowDiskHoldsNobodyUp() throws {
        try withTemporaryDirectory { run in try check("commit-beside", [run]) }
    }

    @Test func onlyTheNewestAreKept() throws {
        try withTemporaryDirectory { run in
            try check("save", ranks: 1, [run, "2", "10", "20", "30", "40"])
            #expect(try steps(run) == [40, 30])
            // A run that goes on from an earlier step sets later checkpoints aside.
            try check("save", ranks: 1, [run, "2", "35"])
            #expect(try steps(run) == [35, 30])
            let names = try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints").sorted()
            #expect(names == ["step-00000030", "step-00000035", "step-00000040.superseded"])
        }
    }

    /// A run that goes on from the memory of its hosts has not read what is on disk.
    @Test func aDamagedCheckpointTakesTheRoomOfNone() throws {
        try withTemporaryDirectory { run in
            try check("save", [run, "2", "10", "20"])
            try change(path(run, 20, "shard-00002-of-00002.safetensors")) { $0[$0.count / 2] ^= 1 }
            let output = try check("save", [run, "2", "30"])
            #expect(try steps(run) == [30, 20, 10], "the sound one is kept: \(output)")
            #expect(output.contains("an older checkpoint is kept in the place of a damaged one: "), "\(output)")
            try check("save", [run, "2", "40"])
            #expect(try steps(run) == [40, 30])
        }
    }

    @Test func noCheckpointIsNotAnError() throws {
        try withTemporaryDirectory { directory in
            let (empty, unfinished) = (directory + "/empty", directory + "/unfinished")
            for path in [empty, path(unfinished, 10) + ".partial"] {
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            }
            try check("load-nothing", [empty, unfinished])
        }
    }

    /// A shared file system may show what another host has written seconds late: missing, or not in full length.
    @Test func filesThatAreShownLateAreWaitedFor() throws {
        try withTemporaryDirectory { run in
            try check("save", [run, "2", "10", "20"])
            let shards = (1...2).map { "shard-0000\($0)-of-00002.safetensors" }
            let late = ["manifest.json:0"] + shards.flatMap { [$0 + ":0", $0 + ":5000"] }
            let output = try check("load-late", [run, "20"] + late)
            for (file, times) in [("manifest.json", 1), (shards[0], 2), (shards[1], 2)] {
                let words = "waiting at most 10 s for \(path(run, 20, file)), which is not there or not whole"
                #expect(output.components(separatedBy: words).count == times + 1, "\(output)")
            }
            #expect(!output.contains("damaged"), "\(output)")
        }
    }

    @Test func damageFallsBackToTheOneBefore() throws {
        try withTemporaryDirectory { run in
            try check("save", ranks: 3, [run, "9", "10", "20", "30", "40", "50", "60", "70"])
            let shard = "shard-00002-of-00003.safetensors"
            try change(path(run, 70, shard)) { $0[$0.count / 2] ^= 1 }
            try change(path(run, 60, shard)) { $0.removeLast(100) }
            try FileManager.default.removeItem(atPath: path(run, 50, "manifest.json"))
            try change(path(run, 40, "manifest.json")) { $0[40] ^= 1 }
            try change(path(run, 30, "manifest.json")) { $0.removeLast(20) }
            try FileManager.default.removeItem(atPath: path(run, 20, shard))
            let output = try check("load", [run, "10"])
            for step in [20, 30, 40, 50, 60, 70] {
                #expect(
                    output.contains("passing over a damaged checkpoint: opening checkpoint \(path(run, step)): "),
                    "\(output)")
            }
            #expect(output.contains("rank 1: \(path(run, 70, shard)): has CRC-32C "), "\(output)")
            // What `checkpoint list` and `checkpoint verify` show.
            let isValid = try CheckpointCatalog.list(runDirectory: FilePath(run)).map(\.isValid)
            #expect(isValid == [true, false, false, false, false, false, true])
            #expect(try CheckpointCatalog.verify(FilePath(path(run, 10))).facts.step == 10)
            do {
                try CheckpointCatalog.verify(FilePath(path(run, 70)))
                Issue.record("nothing found")
            } catch let error as CheckpointError {
                #expect(error.description.contains(shard) && error.description.contains("its contents were damaged"))
            }
            // With nothing sound left the run must not silently start over.
            try change(path(run, 10, shard)) { $0[200] ^= 1 }
            let result = try MPILauncher.run("rank-checks", ranks: 2, ["load", run, "10"])
            #expect(result.status != 0 && result.seconds < 10)
            #expect(result.errorOutput.contains("none of the 7 checkpoints in \(run)/checkpoints can be used"))
        }
    }

    @Test func anotherModelIsRefused() throws {
        try withTemporaryDirectory { run in
            try check("save", [run, "1", "10"])
            let result = try MPILauncher.run("rank-checks", ranks: 2, ["load-other-model", run])
            #expect(result.status != 0 && result.seconds < 10, "\(result)")
            #expect(
                result.errorOutput.contains(
                    "it is of another model (architecture resnet18): encoder.layer2.weight is "), "\(result)")
        }
    }

    @Test func aFailedSaveLeavesTheOthersAlone() throws {
        try withTemporaryDirectory { run in try check("save-limited", ranks: 3, [run]) }
    }

    @Test func aSaveThatGetsNoThreadFailsAndTheNextWorks() throws {
        try withTemporaryDirectory { run in try check("save-without-thread", [run]) }
    }

    /// Two megabytes of memory as a file system.
    private static func mountTemporaryFileSystem(_ directory: String) throws -> ProcessResult {
        try runProcess("/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", directory])
    }

    private static let canMount: Bool = {
        do {
            return try withTemporaryDirectory { directory in
                let mount = try mountTemporaryFileSystem(directory)
                guard mount.status == 0 else { return false }
                return try runProcess("/usr/bin/env", ["umount", directory]).status == 0
            }
        } catch {
            return false
        }
    }()

    @Test(.enabled(if: canMount, "mounting a small file system needs root"))
    func aFullDiskLeavesTheOthersAlone() throws {
        try withTemporaryDirectory { directory in
            #expect(try Self.mountTemporaryFileSystem(directory).status == 0)
            let output = try check("save-unwritable", [directory])
            #expect(output.contains("free space on this file system or keep fewer checkpoints"), "\(output)")
            try check("load", [directory, "\(try steps(directory)[0])"])
            #expect(try runProcess("/usr/bin/env", ["umount", directory]).status == 0)
        }
    }

    @Test func aMissingRightEndsTheJobWithOneMessage() throws {
        try withTemporaryDirectory { directory in
            // A file where the directory should be: nobody, not even root, can create it.
            try Data().write(to: URL(fileURLWithPath: directory + "/run"))
            let result = try MPILauncher.run("rank-checks", ranks: 2, ["save", directory + "/run", "1", "10"])
            #expect(result.status != 0 && result.seconds < 10, "\(result)")
            let message = "rank-checks: error: preparing \(directory)/run/checkpoints: rank 0: "
            #expect(result.errorOutput.components(separatedBy: message).count == 2, "\(result)")
        }
    }

    /// Processes killed at some of the points of a save; simulated ranks die at each.
    @Test func aKilledProcessLeavesTheRightCheckpoint() throws {
        try withTemporaryDirectory { directory in
            let kills: [(SavePoint, Int)] = [
                (.shardHalfWritten, 1), (.shardFinished, 0), (.summariesGathered, 1), (.manifestWritten, 0),
                (.renamed, 0), (.outcomeTold, 1), (.retirementBegun, 0),
            ]
            func run(_ point: SavePoint, _ victim: Int) -> String { "\(directory)/\(point)-rank\(victim)" }
            let results = try MPILauncher.runEach(
                "rank-checks", ranks: 2,
                kills.map { point, victim in ["save-killed", run(point, victim), "\(point.rawValue)", "\(victim)"] },
                timeLimit: 20)
            var expected: [String: Int?] = [:]
            for ((point, victim), result) in zip(kills, results) {
                #expect(
                    !result.timedOut && result.errorOutput.contains("exited on signal 9"),
                    "\(point) on rank \(victim): \(result)")
                // Rank one may die while rank zero goes on to commit, or not.
                let isOpen = victim == 1 && point == .summariesGathered
                expected[run(point, victim)] =
                    isOpen ? .some(nil) : point.rawValue >= SavePoint.renamed.rawValue ? 20 : 10
            }
            let output = try check("load-each", expected.keys.sorted())
            for (run, step) in expected {
                #expect(output.contains("\(run) resumed from \(step.map(String.init) ?? "")"), "\(output)")
            }
        }
    }

    /// Manifests are read from outside: any change is noticed by the checksum, and one with a right checksum is parsed.
    @Test func mutatedManifestsNeverCrash() throws {
        try withTemporaryDirectory { run in
            try check("save", ranks: 1, [run, "1", "10"])
            let manifest = path(run, 10, "manifest.json")
            let original = Array(try Data(contentsOf: URL(fileURLWithPath: manifest)))
            let sealLength = ",\n  \"crc32c\": \"00000000\"\n}\n".utf8.count
            var generator = KeyedGenerator(7)
            var listed = 0, verified = 0
            for round in 0..<1000 {
                var bytes = Array(original.dropLast(sealLength))
                let place = generator.integer(below: bytes.count)
                switch generator.integer(below: 4) {
                case 0: bytes[place] = UInt8(generator.integer(below: 256))
                case 1: bytes.removeSubrange(place..<min(place + 1 + generator.integer(below: 20), bytes.count))
                case 2: bytes.insert(UInt8(generator.integer(below: 128)), at: place)
                default: bytes[place] = UInt8(ascii: "9")
                }
                // Every other round the mutated text gets the checksum that it needs to pass.
                let seal = round % 2 == 0 ? CRC32C.of(bytes).text : "00000000"
                bytes += Array(",\n  \"crc32c\": \"\(seal)\"\n}\n".utf8)
                try Data(bytes).write(to: URL(fileURLWithPath: manifest))
                let entry = try CheckpointCatalog.list(runDirectory: FilePath(run))[0]
                if round % 2 == 1 { #expect(!entry.isValid) }
                guard entry.isValid else { continue }
                listed += 1
                do {
                    try CheckpointCatalog.verify(FilePath(path(run, 10)))
                    verified += 1
                } catch let error as CheckpointError {
                    #expect(error.description.contains("is damaged"))
                }
            }
            // Some changes leave a manifest, and some of those even the right one.
            #expect(listed > 50 && verified > 0 && verified < listed, "\(listed), \(verified)")
        }
    }

    private static let python = Python.interpreter(importing: "safetensors.numpy")

    @Test(.enabled(if: python != nil, "needs a Python with safetensors and numpy (PIXPRO_PYTHON)"))
    func pythonOpensAShard() throws {
        try withTemporaryDirectory { run in
            try check("save", [run, "1", "10"])
            for shard in 1...2 {
                let file = path(run, 10, "shard-0000\(shard)-of-00002.safetensors")
                let script = """
                    import sys
                    from safetensors import safe_open
                    with safe_open(sys.argv[1], "np") as file:
                        for name in sorted(file.keys()):
                            tensor = file.get_tensor(name)
                            print(name, list(tensor.shape), tensor.dtype, tensor.tobytes()[-16:].hex())
                    """
                let result = try runProcess("/usr/bin/env", [Self.python!, "-c", script, file])
                #expect(result.status == 0, "\(result)")
                let ours = try SafetensorsFile(path: FilePath(file))
                #expect(result.output.split(separator: "\n").count == ours.tensors.count, "\(result)")
                for tensor in ours.tensors {
                    let type = tensor.elementType == .int64 ? "int64" : "float32"
                    let tail = try ours.read(tensor.name).withBytes { bytes in
                        bytes.suffix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                    }
                    #expect(result.output.contains("\(tensor.name) \(tensor.shape) \(type) \(tail)\n"), "\(result)")
                }
            }
        }
    }
}
