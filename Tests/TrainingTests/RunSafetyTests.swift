import Files
import Foundation
import MessagePassing
import NeuralNetwork
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct RunSafetyTests {
    @Test func aSecondJobIsRefusedUntilTheFirstEnds() throws {
        try withTemporaryDirectory { directory in
            var first: RunLock? = try RunLock(directory: FilePath(directory), host: "node1")
            #expect(try first!.isInPlace)
            do {
                _ = try RunLock(directory: FilePath(directory), host: "node2", patience: 0.2)
                Issue.record("two jobs in one directory")
            } catch {
                #expect("\(error)".contains("another job trains in \(directory) (host node1, process "), "\(error)")
            }
            first = nil
            first = try RunLock(directory: FilePath(directory), host: "node2", patience: 0)
            try FileManager.default.removeItem(atPath: directory + "/lock")
            #expect(try !first!.isInPlace)
        }
    }

    /// On the system's files; `SimulatedLockTests` has what may happen.
    @Test func withoutLocksHeartbeatsKeepASecondJobOut() throws {
        try withTemporaryDirectory { directory in
            func own(_ name: String) throws -> OwnerFile {
                try OwnerFile(path: FilePath("\(directory)/owner"), owner: name, secondsBetweenBeats: 0.1)
            }
            let first = try own("first")
            let taken = #expect(throws: OwnerFile.Taken.self) { try own("second") }
            #expect(taken?.owner.hasPrefix("first, ") == true)
            #expect(try first.isInPlace)
            first.remove()
            #expect(try own("third").isInPlace && !first.isInPlace)
            // Whoever takes over has it, and the owner knows.
            try "host node7\n".write(toFile: directory + "/owner", atomically: true, encoding: .utf8)
            #expect(try !first.isInPlace)
        }
    }

    /// Whoever has the file system's lock looks for those on hosts without locks, too.
    @Test func theSystemsLockIsNoWayAroundAnOwner() throws {
        try withTemporaryDirectory { directory in
            func lock() throws -> RunLock {
                try RunLock(directory: FilePath(directory), host: "node2", secondsBetweenBeats: 0.2)
            }
            let path = FilePath("\(directory)/owner")
            let first = try OwnerFile(path: path, owner: "host node1", secondsBetweenBeats: 0.1)
            let refused = #expect(throws: TrainingError.self) { try lock() }
            #expect(refused.map { "\($0)".contains("another job trains in \(directory) (host node1, ") } == true)
            first.remove()
            #expect(try lock().isInPlace)
            // Of somebody dead nothing is left, for which every start would wait.
            try "host node9, heartbeat 7\n".write(toFile: path.string, atomically: true, encoding: .utf8)
            #expect(try lock().isInPlace && !FileSystem.exists(path))
        }
    }

    /// A directory that is out of sight for a while is lost to nobody.
    @Test func anOwnerWhoseFileIsAwayForAWhileStaysTheOwner() throws {
        try withTemporaryDirectory { directory in
            let path = directory + "/run"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
            let owner = try OwnerFile(path: FilePath(path + "/owner"), owner: "first", secondsBetweenBeats: 0.1)
            try FileManager.default.moveItem(atPath: path, toPath: path + "-away")
            #expect(try !owner.isInPlace)
            usleep(450_000)
            try FileManager.default.moveItem(atPath: path + "-away", toPath: path)
            #expect(try owner.isInPlace)
        }
    }

    @Test func hostsThatDifferAreNamed() {
        #expect(StartChecks.oddHosts(["a", "a"], ["x", "y"]) == nil)
        #expect(
            StartChecks.oddHosts(["a", "b", "a", "b", "a"], ["n0", "n1", "n2", "n1", "n3"])
                == "n1 (b) differs from the rest (a)")
    }

    @Test func clocksThatDifferAreNamedOnce() {
        let warnings = StartChecks.clockWarnings([100, 101, 130, 130, 40], ["n0", "n0", "n1", "n1", "n2"])
        #expect(warnings.count == 2)
        #expect(warnings[0].hasPrefix("the clock of n1 is 30 s ahead of that of n0"))
        #expect(warnings[1].hasPrefix("the clock of n2 is 60 s behind that of n0"))
    }

    @Test func theSlowRankIsNamedOnceItProvesSlow() {
        func times(_ compute: [Double]) -> RankTimes {
            RankTimes(compute.map { StepTimes(total: $0 + 1, data: 0, communication: 1) })
        }
        let slow = times([1, 1, 2, 1.2])
        #expect(slow.compute == Spread([1, 1, 2, 1.2]) && slow.compute.middle == 1.1 && slow.compute.most == 2)
        #expect(slow.slowest == 2)
        var watch = StragglerWatch(hosts: ["a", "b", "c", "d"])
        for _ in 1..<StragglerWatch.patience { #expect(watch.add(slow) == nil) }
        #expect(watch.add(times([1, 1, 1, 1.1])) == nil)
        for _ in 1..<StragglerWatch.patience { #expect(watch.add(slow) == nil) }
        #expect(watch.add(slow)?.contains("rank 2 (c) is slow") == true)
        for _ in 0..<50 { #expect(watch.add(slow) == nil) }
    }
}
