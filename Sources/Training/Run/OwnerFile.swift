package import Files
import Glibc
import Synchronization
package import SystemPackage
package import Threads

/// Who trains in a directory whose file system has no locks: a file that is made exclusively, read back after a wait, and
/// changed by its owner every few seconds.
///
/// Of several jobs that begin at once, or find the file of a dead one at once, the last to put its name there is the owner:
/// each waits longer than any other takes between looking and writing, and then reads who it is.
package final class OwnerFile: Sendable {
    private let path: FilePath
    private let files: any FileOperations
    private let clock: any TimeSource
    private let token: String
    private let text: String
    private let isLost = Atomic(false)

    /// The file is taken by an owner that lives.
    package struct Taken: Error { package let owner: String }

    /// Waits one beat, or three and a half where there is a file of another.
    package init(
        path: FilePath, owner: String, secondsBetweenBeats: Double, files: any FileOperations = SystemFiles(),
        clock: any TimeSource = SystemClock()
    ) throws {
        (self.path, self.files, self.clock) = (path, files, clock)
        // Two jobs of one process and second differ too.
        token = String(UInt32.random(in: .min ... .max), radix: 36)
        text = "\(owner), \(token)"
        if try Self.isThereAfterWaiting(path, secondsBetweenBeats, files, clock) {
            try put(text)
        } else {
            do {
                try write(text, to: try files.createNew(path))
            } catch let error as FileError where error.code == EEXIST {
                // Another was faster by less than a wait: it may be gone again, and the next start finds out.
                throw Taken(owner: try read().map(Self.name) ?? "it began at this moment")
            }
        }
        clock.pause(seconds: secondsBetweenBeats)
        guard try isOwn else { throw Taken(owner: try read().map(Self.name) ?? "its file is gone") }
        try startBeating(secondsBetweenBeats)
    }

    /// Throws where somebody lives in a directory; else whether there is a file of somebody dead.
    private static func isThereAfterWaiting(
        _ path: FilePath, _ secondsBetweenBeats: Double, _ files: any FileOperations, _ clock: any TimeSource
    ) throws -> Bool {
        guard let before = try read(path, files) else { return false }
        clock.pause(seconds: 2.5 * secondsBetweenBeats)
        if let now = try read(path, files), now != before { throw Taken(owner: name(now)) }
        return true
    }

    /// For whoever has the system's lock, on a host whose mount has locks: throws where somebody who has none lives, and removes
    /// what somebody dead has left.
    package static func removeDead(
        _ path: FilePath, secondsBetweenBeats: Double, files: any FileOperations, clock: any TimeSource
    ) throws {
        guard try isThereAfterWaiting(path, secondsBetweenBeats, files, clock) else { return }
        try files.removeTree(path)
    }

    /// Whether the file still names this owner. Throws where that cannot be seen.
    package var isInPlace: Bool { get throws { try !isLost.load(ordering: .relaxed) && isOwn } }

    /// Lets go at once, so that the next job need not wait.
    package func remove() {
        // One that cannot be seen is left: the next job waits for it, and takes it over.
        guard (try? isInPlace) == true else { return }
        isLost.store(true, ordering: .relaxed)
        // What remains is waited for by the next job, and then taken over.
        try? files.removeTree(path)
    }

    private var isOwn: Bool { get throws { try read()?.hasPrefix(text) ?? false } }

    /// The first line; nil without a file.
    private func read() throws -> String? { try Self.read(path, files) }

    private static func read(_ path: FilePath, _ files: any FileOperations) throws -> String? {
        files.lookAnew(at: FileSystem.parent(of: path))
        do {
            return try files.text(of: path, limit: 4096).split(separator: "\n").first.map(String.init) ?? ""
        } catch let error as FileError where error.code == ENOENT {
            return nil
        }
    }

    private static func name(_ line: String) -> String { line.isEmpty ? "it began at this moment" : line }

    // MARK: The heartbeat

    private func startBeating(_ seconds: Double) throws {
        // The thread holds the file weakly: it ends soon after the owner does.
        let beating = Beating(self, seconds)
        try SystemThread("owner") { beating.run() }.detach()
    }

    private func beat(_ number: Int) {
        // Whoever took over while this process stood still has the directory now.
        guard !isLost.load(ordering: .relaxed) else { return }
        // A directory that is out of sight for a while, and what is in it, is nobody else's for that.
        guard let line = try? read() else { return }
        guard line.hasPrefix(text) else { return isLost.store(true, ordering: .relaxed) }
        // A full disk that refuses a beat may cost the directory, which `isInPlace` then tells.
        try? put("\(text), heartbeat \(number)")
    }

    /// In one step, and not through a name that another uses.
    private func put(_ line: String) throws {
        let own = path.appending(suffix: ".\(token)")
        try write(line, to: try files.create(own))
        try files.move(own, to: path)
    }

    /// Not synchronized: after a loss of power nobody trains here, and whoever finds half a line takes over.
    private func write(_ line: String, to file: any WritableFile) throws {
        try file.append(Array((line + "\n").utf8))
        try file.finish()
    }

    private final class Beating {
        private weak var file: OwnerFile?
        private let seconds: Double
        private let clock: any TimeSource

        init(_ file: OwnerFile, _ seconds: Double) { (self.file, self.seconds, clock) = (file, seconds, file.clock) }

        func run() {
            var number = 1
            while true {
                clock.pause(seconds: seconds)
                guard let file else { return }
                file.beat(number)
                number += 1
            }
        }
    }
}
