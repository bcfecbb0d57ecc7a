import Foundation
import MessagePassing
import NeuralNetwork
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct RunSafetyTests {
    @Test func aSecondJobIsRefusedUntilTheFirstEnds() throws {
        try withTemporaryDirectory { directory in
            var first: RunLock? = try RunLock(directory: FilePath(directory), host: "node1")
            #expect(first!.isInPlace)
            do {
                _ = try RunLock(directory: FilePath(directory), host: "node2", patience: 0.2)
                Issue.record("two jobs in one directory")
            } catch {
                #expect("\(error)".contains("another job trains in \(directory) (host node1, process "), "\(error)")
            }
            first = nil
            first = try RunLock(directory: FilePath(directory), host: "node2", patience: 0)
            try FileManager.default.removeItem(atPath: directory + "/lock")
            #expect(!first!.isInPlace)
        }
    }

    /// A file system without locks: the owner's heartbeats tell.
    @Test func withoutLocksHeartbeatsKeepASecondJobOut() throws {
        func lock(_ directory: String) throws -> RunLock {
            try RunLock(directory: FilePath(directory), host: "node1", secondsBetweenBeats: 0.1) { _ in .unsupported }
        }
        try withTemporaryDirectory { directory in
            var first: RunLock? = try lock(directory)
            #expect(throws: TrainingError.self) { try lock(directory) }
            #expect(first!.isInPlace)
            first = nil
            usleep(300_000)
            first = try lock(directory)
            #expect(first != nil)
        }
    }

    /// Of jobs that begin at once, in a new directory or in one where the owner died, one trains.
    @Test(arguments: [false, true]) func withoutLocksOneOfManyThatBeginAtOnceTrains(afterADeath: Bool) throws {
        try withTemporaryDirectory { directory in
            if afterADeath {
                let dead = "host node9, process 1, since then, abc, heartbeat 7\n"
                try dead.write(toFile: directory + "/owner", atomically: true, encoding: .utf8)
            }
            let locks = Mutex<[RunLock]>([]), refusals = Mutex<[String]>([])
            let done = DispatchGroup()
            for number in 0..<4 {
                done.enter()
                Thread.detachNewThread {
                    defer { done.leave() }
                    do {
                        let lock = try RunLock(
                            directory: FilePath(directory), host: "node\(number)", secondsBetweenBeats: 0.5
                        ) { _ in .unsupported }
                        locks.withLock { $0.append(lock) }
                    } catch { refusals.withLock { $0.append("\(error)") } }
                }
            }
            done.wait()
            #expect(locks.withLock(\.count) == 1, "\(refusals.withLock { $0 })")
            #expect(refusals.withLock { $0.count { $0.contains("another job trains in \(directory) (") } } == 3)
            #expect(locks.withLock { $0.allSatisfy(\.isInPlace) })
            // Whoever takes over has it, and the owner knows.
            try "host node7\n".write(toFile: directory + "/owner", atomically: true, encoding: .utf8)
            #expect(locks.withLock { !$0.contains(where: \.isInPlace) })
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
