import Foundation
import MessagePassing
import TestSupport
import Testing

/// Jobs that would hang for ever end soon, and say who was missing from what.
@Suite(.serialized) struct WatchdogTests {
    private func hang(
        _ kind: String, limit: Double, silence: Double, ranks: Int = 3
    ) throws -> (result: ProcessResult, reports: [String: String]) {
        try withTemporaryDirectory { directory in
            let result = try MPILauncher.run(
                "rank-checks", ranks: ranks, ["hang", kind, "\(limit)", "\(silence)", directory], timeLimit: 40,
                isAlone: true)
            var reports: [String: String] = [:]
            for path in try FileManager.default.subpathsOfDirectory(atPath: directory) where path.hasSuffix(".txt") {
                reports[String(path.split(separator: "/").last!)] = try String(
                    contentsOfFile: directory + "/" + path, encoding: .utf8)
            }
            return (result, reports)
        }
    }

    @Test func aRankThatDoesNotComeIsNamedWithTheCollective() throws {
        let (result, reports) = try hang("busy", limit: 2, silence: 60)
        #expect(result.status == hungExitStatus && result.seconds < 15, "\(result)")
        #expect(result.errorOutput.contains("watchdog: no progress for "), "\(result)")
        #expect(result.errorOutput.contains("in phase step (step 6)"), "\(result)")
        #expect(result.errorOutput.contains("in gradients #6, MPI_Allreduce of 2 elements"), "\(result)")
        #expect(result.errorOutput.contains("missing from it: rank 2 ("), "\(result)")
        #expect(Set(reports.keys) == ["rank-00000.txt", "rank-00001.txt", "rank-00002.txt"])
        let waiting = try #require(reports["rank-00001.txt"])
        #expect(waiting.contains("gradients #6 MPI_Allreduce, 2 elements: has not returned"), "\(waiting)")
        #expect(waiting.contains("gradients #5 MPI_Allreduce, 1 elements: took "), "\(waiting)")
        #expect(
            waiting.contains("PMPI_Allreduce") || waiting.contains("MessagePassing.Communicator.reduce"), "\(waiting)")
        #expect(try #require(reports["rank-00002.txt"]).contains("sleep"))
    }

    @Test func aStoppedRankIsNamed() throws {
        let (result, reports) = try hang("stopped", limit: 60, silence: 3)
        #expect(result.status == hungExitStatus && result.seconds < 15, "\(result)")
        #expect(result.errorOutput.contains("nothing was heard from rank 2 ("), "\(result)")
        #expect(result.errorOutput.contains("watchdog.silenceSeconds 3"), "\(result)")
        #expect(reports["rank-00000.txt"] != nil && reports["rank-00001.txt"] != nil)
    }

    @Test func aStoppedRankZeroIsNamedByTheOthers() throws {
        let (result, _) = try hang("root-stopped", limit: 60, silence: 3)
        #expect(result.status == hungExitStatus && result.seconds < 20, "\(result)")
        #expect(result.errorOutput.contains("nothing was heard from rank 0 ("), "\(result)")
    }

    @Test func aReportThatCannotBeWrittenIsSaidWithTheReason() throws {
        try withTemporaryDirectory { directory in
            try Data().write(to: URL(fileURLWithPath: directory + "/file"))
            let result = try MPILauncher.run(
                "rank-checks", ranks: 2, ["hang", "busy", "2", "60", directory + "/file/reports"], timeLimit: 40,
                isAlone: true)
            #expect(result.status == hungExitStatus && result.seconds < 15, "\(result)")
            #expect(
                result.errorOutput.contains("its report could not be written: \(directory)/file/reports/hang-")
                    && result.errorOutput.contains(": cannot create the directory: Not a directory\n"), "\(result)")
        }
    }

    @Test func progressKeepsTheJobAlive() throws {
        let (result, reports) = try hang("slow", limit: 1, silence: 60)
        #expect(result.status == 0 && reports.isEmpty, "\(result)")
    }

    @Test func ranksInDifferentCollectivesAreToldApart() throws {
        let wrong = try MPILauncher.run("rank-checks", ranks: 3, ["other-order"], timeLimit: 20, isAlone: true)
        #expect(wrong.status == errorExitStatus && wrong.seconds < 10, "\(wrong)")
        #expect(
            wrong.errorOutput.contains(
                "ranks 0, 2 in call 1: gradients MPI_Allreduce of 2 elements; rank 1 in call 1: ")
                && wrong.errorOutput.contains("gradients MPI_Barrier of 0 elements (saving step 3)"), "\(wrong)")
        let right = try MPILauncher.run("rank-checks", ranks: 3, ["same-order"], timeLimit: 20)
        #expect(right.status == 0, "\(right)")
    }

    @Test func heartbeatsSurviveTheirLine() {
        let heartbeat = Heartbeat(
            rank: 3, host: "node3", phase: .save, detail: "step 12", seconds: 1.5, isExpired: true,
            positions: [.init(channel: 2, communicator: "gradients", number: 7, call: "MPI_Allreduce of 8 elements")])
        #expect(Heartbeat(line: heartbeat.line) == heartbeat)
        for line in [
            "", "x", "1\tnode", "1\tn\tsave\t\t1\twell\t2", "1\tn\tsave\t\tx\twell", "1\tn\tsave\t\t1e300\twell",
            "1\tn\tsave\t\tnan\twell", "1\tn\tsave\t\t-1\twell",
        ] {
            #expect(Heartbeat(line: line) == nil)
        }
    }

    private func beat(
        _ rank: Int, number: Int, call: String, expired: Bool = false, phase: Phase = .step
    ) -> Heartbeat {
        Heartbeat(
            rank: rank, host: "node\(rank)", phase: phase, detail: "step 9", seconds: 40, isExpired: expired,
            positions: [.init(channel: 1, communicator: "gradients", number: number, call: call)])
    }

    @Test func waitingForARankThatWorksIsNoHang() {
        let now = ContinuousClock.now
        var table = RankTable(hosts: ["node0", "node1"], now: now)
        table.heard(beat(0, number: 4, call: "MPI_Bcast of 8 elements", expired: true), now: now)
        table.heard(beat(1, number: 3, call: ""), now: now)
        #expect(table.alarm(WatchdogLimits(), now: now) == nil)
        table.heard(beat(1, number: 3, call: "", expired: true), now: now)
        #expect(
            table.alarm(WatchdogLimits(), now: now)?.reason.contains("no progress for 40 s in phase step (step 9)")
                == true)
        #expect(table.report(now: now).contains("missing from it: rank 1 (node1): in no collective"))
    }

    @Test func allInOneCallIsTheNetwork() {
        let now = ContinuousClock.now
        var table = RankTable(hosts: ["node0", "node1"], now: now)
        for rank in 0...1 {
            table.heard(beat(rank, number: 4, call: "MPI_Bcast of 8 elements", expired: true), now: now)
        }
        #expect(table.alarm(WatchdogLimits(), now: now) != nil)
        #expect(table.report(now: now).contains("no rank is missing: the network"))
    }

    /// What a limit on silence is to be held against.
    @Test func theLongestSilenceIsRemembered() {
        let start = ContinuousClock.now
        var table = RankTable(hosts: ["node0", "node1"], now: start)
        table.heard(beat(1, number: 1, call: ""), now: start + .seconds(9))
        #expect(table.longestSilence == 0, "before its first heartbeat a rank is not silent")
        for seconds in [10, 13, 14] { table.heard(beat(1, number: 1, call: ""), now: start + .seconds(seconds)) }
        #expect(table.longestSilence == 3)
    }

    /// Launchers ask all hosts as soon as one falls silent, which one with a rank that is heard has not.
    @Test func aHostFallsSilentWithAllOfItsRanks() {
        let start = ContinuousClock.now
        var table = RankTable(hosts: ["node0", "node1", "node1", "node2"], now: start)
        for rank in 0...3 { table.heard(beat(rank, number: 1, call: ""), now: start) }
        #expect(table.silentHosts(now: start + .seconds(1)).isEmpty)
        for rank in 0...1 { table.heard(beat(rank, number: 1, call: ""), now: start + .seconds(3)) }
        #expect(table.silentHosts(now: start + .milliseconds(3500)) == ["node2"])
        #expect(table.alarm(WatchdogLimits(), now: start + .milliseconds(3500)) == nil, "before the job ends for it")
        table.heard(beat(3, number: 1, call: ""), now: start + .seconds(4))
        #expect(table.silentHosts(now: start + .seconds(4)).isEmpty, "it is heard again")
        #expect(table.silentHosts(now: start + .seconds(9)) == ["node0", "node1", "node2"])
    }

    @Test func aSuspendedJobIsForgiven() {
        let start = ContinuousClock.now, later = start + .seconds(100)
        var table = RankTable(hosts: ["node0", "node1"], now: start)
        for rank in 0...1 { table.heard(beat(rank, number: 1, call: ""), now: start) }
        #expect(
            table.alarm(WatchdogLimits(), now: later)?.reason.contains("nothing was heard from rank 0 (node0)") == true)
        table.forgive(.seconds(97))
        #expect(table.alarm(WatchdogLimits(), now: later) == nil)
    }
}
