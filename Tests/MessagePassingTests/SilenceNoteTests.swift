import Foundation
import MessagePassing
import SystemPackage
import TestSupport
import Testing

/// What launchers are told of hosts that cannot be heard.
@Suite struct SilenceNoteTests {
    private let silence = SilenceNote(program: "test")

    /// Tells again and again, as the watchdog does, until the note says so; whether it came to that.
    private func tell(_ hosts: [String], in notes: LauncherNotes, expecting text: String?) -> Bool {
        let expected = text.map { Data($0.utf8) }
        for _ in 0..<600 where FileManager.default.contents(atPath: notes.silent.string) != expected {
            silence.tell(hosts, in: notes)
            Thread.sleep(forTimeInterval: 0.1)
        }
        return FileManager.default.contents(atPath: notes.silent.string) == expected
    }

    @Test func aNoteLastsAsLongAsTheSilence() throws {
        try withTemporaryDirectory { directory in
            let notes = LauncherNotes(directory: FilePath(directory + "/watchdog"))
            #expect(tell(["node3", "node5"], in: notes, expecting: "node3\nnode5\n"))
            #expect(tell(["node5"], in: notes, expecting: "node5\n"))
            #expect(tell([], in: notes, expecting: nil))
        }
    }

    /// What stands in the way of a note may be gone a second later.
    @Test func aNoteThatCannotBeLeftIsTriedAgain() throws {
        try withTemporaryDirectory { directory in
            let notes = LauncherNotes(directory: FilePath(directory + "/watchdog"))
            try Data().write(to: URL(fileURLWithPath: directory + "/watchdog"))
            for _ in 0..<5 {
                silence.tell(["node3"], in: notes)
                Thread.sleep(forTimeInterval: 0.1)
            }
            try FileManager.default.removeItem(atPath: directory + "/watchdog")
            #expect(tell(["node3"], in: notes, expecting: "node3\n"))
        }
    }
}
