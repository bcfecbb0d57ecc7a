import Foundation
import MessagePassing
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// What launchers are told of hosts that cannot be heard.
@Suite struct SilenceNoteTests {
    /// Tells again and again, as the watchdog does, until it has come to something; false after a minute.
    private func tell(
        _ silence: SilenceNote, _ hosts: [String], in notes: LauncherNotes, until isSo: () throws -> Bool
    ) rethrows -> Bool {
        for _ in 0..<600 {
            if try isSo() { return true }
            silence.tell(hosts, in: notes)
            Thread.sleep(forTimeInterval: 0.1)
        }
        return false
    }

    @Test func aNoteLastsAsLongAsTheSilence() throws {
        try withTemporaryDirectory { directory in
            let notes = LauncherNotes(directory: FilePath(directory + "/watchdog"), launcher: "own")
            let silence = SilenceNote { Issue.record("\($0)") }
            for hosts in [["node3", "node5"], ["node5"], []] {
                let isNoted = try tell(silence, hosts, in: notes) { try notes.silentHosts() == Set(hosts) }
                #expect(isNoted && notes.saysSilence == !hosts.isEmpty)
            }
        }
    }

    /// Of several jobs in a directory each launcher hears its own; without one nothing is noted.
    @Test func eachLauncherHearsItsOwnJob() throws {
        try withTemporaryDirectory { directory in
            func notes(_ launcher: String?) -> LauncherNotes {
                LauncherNotes(directory: FilePath(directory), launcher: launcher)
            }
            try notes(nil).noteEnd(status: 78)
            try notes(nil).note(silent: ["node1"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
            try notes("one").noteEnd(status: 78)
            try notes("one").note(silent: ["node1"])
            #expect(try notes("one").saysEnd && notes("one").endStatus() == 78)
            #expect(try !notes("two").saysEnd && notes("two").endStatus() == nil && !notes("two").saysSilence)
            try notes("two").remove()
            #expect(notes("one").saysEnd && notes("one").saysSilence)
        }
    }

    /// What stands in the way of a note may be gone later, and may come back.
    @Test func aNoteThatCannotBeLeftIsTriedAgain() throws {
        try withTemporaryDirectory { directory in
            let folder = directory + "/watchdog", notes = LauncherNotes(directory: FilePath(folder), launcher: "own")
            let warnings = Mutex<[String]>([])
            let silence = SilenceNote { reason in warnings.withLock { $0.append(reason) } }
            for (times, hosts) in [["node3"], ["node4"]].enumerated() {
                try? FileManager.default.removeItem(atPath: folder)
                try Data().write(to: URL(fileURLWithPath: folder))
                let isWarned = tell(silence, hosts, in: notes) { warnings.withLock { $0.count } > times }
                #expect(isWarned)
                // Long enough for a second failure, of which nothing is said.
                let end = Date(timeIntervalSinceNow: 2.5)
                _ = tell(silence, hosts, in: notes) { Date() > end }
                try FileManager.default.removeItem(atPath: folder)
                let isNoted = try tell(silence, hosts, in: notes) { try notes.silentHosts() == Set(hosts) }
                let said = warnings.withLock { $0 }
                #expect(isNoted && said.count == times + 1 && said.allSatisfy { $0.contains(folder) }, "\(said)")
            }
        }
    }
}
