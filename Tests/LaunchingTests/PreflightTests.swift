import Checkpointing
import Files
import Foundation
import Launching
import MessagePassing
import Synchronization
import SystemPackage
import TestSupport
import Testing
import Training

@Suite struct PreflightTests {
    private func finding(
        _ text: String, silence: String? = nil, newestStep: Int = 0, build: String = "abc"
    ) -> Preflight.Finding {
        Preflight.Finding(
            host: ListedHost(name: "n1"), text: text, silence: silence, lastWords: "the last words",
            program: "/opt/pixpro",
            build: build, newestStep: newestStep)
    }

    private func facts(_ change: (inout HostFacts) -> Void = { _ in }) -> String {
        var facts = HostFacts()
        (facts.build, facts.sockets, facts.temporarySpace) = ("abc", 2, 1 << 30)
        change(&facts)
        return "Welcome to n1!\n" + facts.lines
    }

    @Test func aHostThatHasAllIsReady() {
        let finding = finding(facts())
        #expect(finding.lacks.isEmpty && finding.facts?.sockets == 2)
        let large = self.finding(facts { ($0.cores, $0.memory) = (56, 251 << 30) })
        #expect(large.equipment == "n1: 2 sockets, 56 cores, 251 GiB")
    }

    @Test func eachPieceThatAHostLacksIsNamed() {
        func lacks(_ finding: Preflight.Finding) -> [String] { finding.lacks.map(\.description) }
        #expect(lacks(finding("", silence: "No route to host")) == ["does not answer: No route to host"])
        #expect(lacks(finding("pixpro: no daemon\n" + facts())).first?.hasPrefix("has no Open MPI") == true)
        #expect(
            lacks(finding("pixpro: no program\n"))
                == ["has no program /opt/pixpro: is its file system mounted there?"])
        #expect(lacks(finding("")) == ["cannot start the program: the last words"])
        #expect(lacks(finding("pixpro: build abc\n")) == ["cannot start the program: the last words"], "cut off")
        #expect(
            lacks(finding(facts { $0.build = "def" }))
                == ["has another build of the program (def, here it is abc)"])
        #expect(lacks(finding(facts { $0.runProblem = "there is none" })).first?.contains("there is none") == true)
        #expect(
            lacks(finding(facts { $0.newestStep = 10 }, newestStep: 20))
                == ["does not see the run's directory: its newest checkpoint there is step 10, here it is 20"])
        #expect(
            lacks(finding(facts { $0.rootProblems = ["/a: empty", "/b: none"] }))
                == ["does not see the pictures: /a: empty", "does not see the pictures: /b: none"])
        #expect(
            lacks(finding(facts { ($0.temporary, $0.temporarySpace) = ("/tmp", 3 << 20) }))
                == ["has no room for Open MPI's files: 3 MiB are free in /tmp; free some, or set TMPDIR"])
        #expect(lacks(finding(facts { $0.temporaryProblem = "/tmp: full" })).count == 1)
    }

    @Test func whatAllLackIsNoFaultOfOneHost() {
        let none = finding(facts { $0.rootProblems = ["/a: none"] }), ready = finding(facts())
        let silent = finding("", silence: "gone")
        #expect(Preflight([none, none]).lackOfAll == .pictures("/a: none"))
        #expect(Preflight([none, ready]).lackOfAll == nil)
        #expect(Preflight([none, silent]).lackOfAll == nil, "the silent one may have it")
        #expect(Preflight([silent, silent]).lackOfAll == nil, "silence may end")
        #expect(Preflight([none, silent]).reasons.last == "host n1 does not answer: gone")
    }

    @Test func hostsThatRanOutOfMemoryAreNamed() {
        func look(_ kills: Int) -> Preflight {
            Preflight([finding(facts { ($0.memoryKills, $0.memory) = (kills, 600 << 20) })])
        }
        #expect(look(3).memoryNotes(since: look(3)).isEmpty)
        #expect(look(3).memoryNotes(since: Preflight([])).isEmpty, "kills of others before")
        let note = look(4).memoryNotes(since: look(3)).first
        #expect(note?.hasPrefix("host n1 was out of memory: a process was killed at the limit of 600 MiB") == true)
    }

    @Test func clocksAreNoted() {
        let behind = finding(facts { $0.clock = 1000 })
        #expect(Preflight([behind]).clockNotes(now: 4600) == ["the clock of host n1 is 3600 s behind"])
        #expect(Preflight([behind]).clockNotes(now: 1010).isEmpty)
    }

    @Test func thisHostTellsWhatItHas() throws {
        try withTemporaryDirectory { directory in
            let root = directory + "/photos", empty = directory + "/empty", run = directory + "/run"
            for folder in [root, empty, run + "/launcher"] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try "x".write(toFile: root + "/a.jpg", atomically: true, encoding: .utf8)
            try "mark1\n".write(toFile: run + "/launcher/mark", atomically: true, encoding: .utf8)
            var question = HostQuestion(
                runDirectory: FilePath(run), mark: "mark1",
                roots: [FilePath(root), FilePath(empty), FilePath(directory + "/nowhere")])
            let facts = try HostFacts.ofThisHost(question)
            #expect(HostFacts(lines: facts.lines) == facts)
            #expect(facts.build.count == 8 && facts.cores >= 1 && facts.memory > 1 << 20 && facts.temporarySpace > 0)
            #expect(facts.runProblem.isEmpty && facts.rootProblems.count == 2, "\(facts)")
            #expect(facts.rootProblems[0].contains("is its file system mounted here?"))
            question.mark = "mark2"
            #expect(try HostFacts.ofThisHost(question).runProblem.contains("another directory"))
        }
    }

    /// A run that has saved nothing to disk yet goes on from its hosts' memory, and the launcher knows.
    @Test func aHostTellsWhatItsMemoryHas() throws {
        try withTemporaryDirectory { directory in
            let run = directory + "/run", memory = directory + "/memory/pixpro-abc/checkpoints/step-00000007"
            for folder in [run + "/launcher", memory] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            try "mark1\n".write(toFile: run + "/launcher/mark", atomically: true, encoding: .utf8)
            let history = try AppendedFile(path: FilePath(run + "/history.jsonl"))
            try history.append(RunEvent(.run, time: 1, identity: "abc").line)
            try history.append(RunEvent(.start, time: 2, step: 0).line)
            let facts = CheckpointFacts(
                step: 7, samplesSeen: 0, seed: 1, counters: [MemoryStore.startCounter: 1])
            let manifest = CheckpointManifest(facts: facts, shards: [], tensors: [])
            try Data(manifest.encoded).write(to: URL(fileURLWithPath: memory + "/manifest.json"))
            var question = HostQuestion(
                runDirectory: FilePath(run), mark: "mark1", memory: FilePath(directory + "/memory"))
            let told = try HostFacts.ofThisHost(question)
            #expect(told.memoryStep == 7 && told.newestStep == 0 && HostFacts(lines: told.lines) == told)
            // The run has left that way since.
            try history.append(RunEvent(.start, time: 3, step: 5).line)
            #expect(try HostFacts.ofThisHost(question).memoryStep == 0)
            question.memory = nil
            #expect(try HostFacts.ofThisHost(question).memoryStep == 0)
        }
    }

    /// A host that a job is without may come back while it runs.
    @Test func aHostThatComesBackIsSaidOnce() async throws {
        let folder = FileManager.default.temporaryDirectory.path + "/pixpro-return-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func script(_ name: String, _ text: String) throws -> String {
            let path = "\(folder)/\(name)"
            try ("#!/bin/sh\n" + text).write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            return path
        }
        let program = try script("program", "cat <<'END'\n\(facts())END\n")
        let agent = try script(
            "agent", "echo $1 >>\(folder)/asked; [ -e \(folder)/$1 ] || exit 255; exec sh -c \"$2\"\n")
        let command = PreflightCommand(
            way: .agent(agent), program: FilePath(program), starter: JobStarter(MPIRelease(.openMPI, "4.1.4")),
            build: "abc", thisHost: "here", secondsBetweenLooks: 0.05)
        let missing = ["n1", "n2"].map {
            Preflight.Finding(host: ListedHost(name: $0), facts: nil, lacks: [.answer("no route")])
        }
        func asked() -> [String] {
            let text = (try? String(contentsOfFile: folder + "/asked", encoding: .utf8)) ?? ""
            return text.split(separator: "\n").map(String.init)
        }
        let said = Mutex<[String]>([])
        let looking = Task {
            await command.sayWhoReturns(missing, HostQuestion()) { text in said.withLock { $0.append(text) } }
        }
        func wait(_ condition: () -> Bool) async throws {
            for _ in 0..<6000 where !condition() { try await Task.sleep(for: .milliseconds(10)) }
        }
        try await wait { asked().count >= 4 }
        #expect(said.withLock { $0 }.isEmpty)
        try "".write(toFile: folder + "/n2", atomically: true, encoding: .utf8)
        try await wait { said.withLock { !$0.isEmpty } }
        let before = asked().count
        try await wait { asked().count >= before + 3 }
        looking.cancel()
        await looking.value
        let words = said.withLock { $0 }
        #expect(
            words.count == 1 && words[0].hasPrefix("host n2 is back; it takes part from the next start on"), "\(words)")
        #expect(words[0].contains("kill -USR2 \(getpid()) has"))
        #expect(asked().dropFirst(before + 1).allSatisfy { $0 == "n1" }, "nobody asks it again")
    }
}
