import Foundation
import Launching
import MessagePassing
import Synchronization
import SystemPackage
import Testing

/// How long hosts are waited for, and what is asked before a job has ended.
@Suite struct AnswerTests {
    // MARK: Patience

    @Test func hostsHaveTheirTime() {
        #expect(AnswerPatience(isUrgent: false, unanswered: ["n1"]).seconds("n1") == 20)
        let urgent = AnswerPatience(isUrgent: true, unanswered: ["n1"])
        #expect(urgent.seconds("n1") == 2 && urgent.seconds("n2") == 5)
    }

    /// Not before the others have answered, and not much later.
    @Test func aLostHostIsWaitedForHardlyLongerThanTheOthers() {
        let patience = AnswerPatience(isUrgent: true, lost: ["n1"])
        #expect(!patience.isOver(elapsed: 4, others: nil, isNeeded: true))
        #expect(!patience.isOver(elapsed: 0.5, others: 0.3, isNeeded: true))
        #expect(patience.isOver(elapsed: 0.6, others: 0.3, isNeeded: true))
        #expect(!patience.isOver(elapsed: 2.9, others: 2, isNeeded: true), "where all are slow")
        #expect(patience.isOver(elapsed: 3, others: 2, isNeeded: true))
        #expect(!patience.isOver(elapsed: 3, others: 2, isNeeded: false), "nobody waits")
    }

    @Test func namesAreComparedWithoutTheirDomains() {
        let patience = AnswerPatience(isUrgent: true, lost: ["n1.site.org", "n2", "10.0.0.3"])
        for host in ["n1", "n1.site.org", "n2.site.org", "10.0.0.3"] { #expect(patience.isLost(host)) }
        for host in ["n10", "n3", "10.0.0.4"] { #expect(!patience.isLost(host)) }
        #expect(!AnswerPatience(isUrgent: false, lost: ["n1"]).isLost("n1"), "before a run has trained all have time")
    }

    // MARK: Asking

    /// `n1` answers at once, `n2` as `agent`, lines of a shell, says.
    private func ask(
        agent: String, _ patience: AnswerPatience, isNeeded: @escaping @Sendable () -> Bool = { true }
    ) async throws -> (ready: [String], reasons: [String]) {
        let folder = FileManager.default.temporaryDirectory.path + "/pixpro-answers-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var facts = HostFacts()
        (facts.build, facts.temporarySpace) = ("abc", 1 << 30)
        for (name, text) in [
            ("program", "cat <<'END'\n\(facts.lines)END\n"),
            ("agent", "[ $1 = n1 ] || {\n\(agent)\n}\nexec sh -c \"$2\"\n"),
        ] {
            try ("#!/bin/sh\n" + text).write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(name)")
        }
        let command = PreflightCommand(
            way: .agent(folder + "/agent"), program: FilePath(folder + "/program"),
            starter: JobStarter(MPIRelease(.openMPI, "4.1.4")), build: "abc", thisHost: "here")
        let found = await command.ask(
            [ListedHost(name: "n2"), ListedHost(name: "n1")], HostQuestion(), newestStep: 0, patience: patience,
            isNeeded: isNeeded)
        let names = found.findings.map(\.host.name)
        #expect(names == ["n2", "n1"], "in the list's order")
        return (found.ready.map(\.host.name), found.reasons)
    }

    /// Seconds: tests that wait for other programs may keep all threads for minutes.
    private static let plenty = 900.0

    @Test func aHostThatFellSilentIsLeftOutOnceTheOthersHaveAnswered() async throws {
        var patience = AnswerPatience(isUrgent: true, lost: ["n2"])
        patience.urgent = Self.plenty
        let (ready, reasons) = try await ask(agent: "exec sleep \(Int(Self.plenty))", patience)
        #expect(ready == ["n1"])
        #expect(
            reasons == ["host n2 does not answer: it fell silent while the job ran, and the others have answered"])
    }

    /// As long as nobody waits for the answers, a host has its time.
    @Test func aHostMayComeBackWhileTheJobEnds() async throws {
        var patience = AnswerPatience(isUrgent: true, lost: ["n2"])
        patience.urgent = Self.plenty
        let (ready, reasons) = try await ask(agent: "sleep 1", patience, isNeeded: { false })
        #expect(ready == ["n2", "n1"], "\(reasons)")
    }

    // MARK: Early

    @Test func anEarlyLookIsUsedOnceAndWhileItIsGood() async {
        let look = EarlyLook(), hosts = [ListedHost(name: "n1")], asked = Mutex(0)
        func begin(_ now: Double) {
            look.begin(now: now) { isNeeded in
                asked.withLock { $0 += 1 }
                while !isNeeded() { await Task.yield() }
                return EarlyLook.Answers(
                    hosts: hosts, preflight: Preflight([.init(host: hosts[0], facts: nil, lacks: [])]))
            }
        }
        #expect(await look.answers(of: hosts, now: 0) == nil)
        begin(100)
        begin(104)
        #expect(await look.answers(of: hosts, now: 105)?.ready.count == 1)
        #expect(asked.withLock { $0 } == 1, "one is enough")
        #expect(await look.answers(of: hosts, now: 105) == nil, "given once")
        begin(200)
        #expect(await look.answers(of: hosts + [ListedHost(name: "n2")], now: 201) == nil, "others are listed now")
        begin(300)
        #expect(await look.answers(of: hosts, now: 311) == nil, "too old")
    }
}
