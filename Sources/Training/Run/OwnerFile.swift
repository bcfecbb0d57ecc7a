import Files
import Glibc
import Synchronization
import SystemPackage
import Threads

/// Who trains in a directory whose file system has no locks: a file that is made exclusively, read back after a wait, and
/// changed by its owner every few seconds.
///
/// Of several jobs that begin at once, or find the file of a dead one at once, the last to put its name there is the owner:
/// each waits longer than any other takes between looking and writing, and then reads who it is.
final class OwnerFile: Sendable {
    private let path: FilePath
    private let token: String
    private let text: String
    private let isLost = Atomic(false)

    /// The file is taken by an owner that lives.
    struct Taken: Error { let owner: String }

    /// Waits one beat, or three and a half where there is a file of another.
    init(path: FilePath, owner: String, secondsBetweenBeats: Double) throws {
        self.path = path
        // Two jobs of one process and second differ too.
        token = String(UInt32.random(in: .min ... .max), radix: 36)
        text = "\(owner), \(token)"
        if let before = try Self.read(path) {
            usleep(useconds_t(2.5 * secondsBetweenBeats * 1e6))
            if let now = try Self.read(path), now != before { throw Taken(owner: Self.name(now)) }
            try put(text)
        } else {
            do {
                try AppendedFile(path: path, isNew: true).append(Array((text + "\n").utf8))
            } catch let error as FileError where error.code == EEXIST {
                // Another was faster by less than a wait: it may be gone again, and the next start finds out.
                throw Taken(owner: try Self.read(path).map(Self.name) ?? "it began at this moment")
            }
        }
        usleep(useconds_t(secondsBetweenBeats * 1e6))
        guard isOwn else { throw Taken(owner: try Self.read(path).map(Self.name) ?? "its file is gone") }
        try startBeating(secondsBetweenBeats)
    }

    /// Whether the file still names this owner.
    var isInPlace: Bool { !isLost.load(ordering: .relaxed) && isOwn }

    /// Lets go at once, so that the next job need not wait.
    func remove() {
        guard isInPlace else { return }
        isLost.store(true, ordering: .relaxed)
        // What remains is waited for by the next job, and then taken over.
        try? FileSystem.remove(path)
    }

    private var isOwn: Bool { (try? Self.read(path)).flatMap { $0 }?.hasPrefix(text) ?? false }

    /// The first line; nil without a file.
    private static func read(_ path: FilePath) throws -> String? {
        FileSystem.lookAnew(at: FileSystem.parent(of: path))
        do {
            let text = try WholeFile.text(of: path, limit: 4096)
            return text.split(separator: "\n").first.map(String.init) ?? ""
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
        guard isInPlace else { return isLost.store(true, ordering: .relaxed) }
        // A full disk that refuses a beat may cost the directory, which `isInPlace` then tells.
        try? put("\(text), heartbeat \(number)")
    }

    /// In one step, and not through a name that another uses.
    private func put(_ line: String) throws {
        let own = path.appending(suffix: ".\(token)")
        try WholeFile.write(to: own, isDurable: false) { try $0.append(Array((line + "\n").utf8)) }
        try FileSystem.move(own, to: path)
    }

    private final class Beating {
        private weak var file: OwnerFile?
        private let seconds: Double

        init(_ file: OwnerFile, _ seconds: Double) { (self.file, self.seconds) = (file, seconds) }

        func run() {
            var number = 1
            while true {
                usleep(useconds_t(seconds * 1e6))
                guard let file else { return }
                file.beat(number)
                number += 1
            }
        }
    }
}
