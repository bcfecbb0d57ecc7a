import Files
import SystemPackage

/// A lock of `SimulatedFiles`: it goes with the object, and with the rank that has it.
final class SimulatedLock: LockFile, @unchecked Sendable {
    // @unchecked: as the files.
    struct Holder {
        let lock: ObjectIdentifier
        /// nil where a test has it by itself.
        let rank: Int?
    }

    private let path: FilePath
    private let files: SimulatedFiles
    private let node: SimulatedNode

    init(path: FilePath, files: SimulatedFiles, node: SimulatedNode) {
        (self.path, self.files, self.node) = (path, files, node)
    }

    deinit { if node.holder?.lock == ObjectIdentifier(self) { node.holder = nil } }

    func tryLock() -> LockOutcome {
        guard turn("locks") else { return .taken }
        guard grantsLocks else { return .unsupported }
        if isTaken { return .taken }
        node.holder = Holder(lock: ObjectIdentifier(self), rank: files.ranks?.turns.rank)
        return .locked
    }

    var isHeldByAnother: Bool { turn("asks for the lock of") && grantsLocks && isTaken }

    private var grantsLocks: Bool {
        files.hasLocks && !(files.ranks?.turns.rank.map(files.ranksWithoutLocks.contains) ?? false)
    }

    var line: String {
        guard turn("reads") else { return "" }
        return String(decoding: node.bytes, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
    }

    func write(line: String) { if turn("writes") { node.bytes = Array((line + "\n").utf8) } }

    var isInPlace: Bool { turn("looks at") && files.find(path) === node }

    /// Who died holds nothing.
    private var isTaken: Bool {
        guard let holder = node.holder, holder.lock != ObjectIdentifier(self) else { return false }
        return !(holder.rank.map { files.ranks?.isKilled($0) ?? false } ?? false)
    }

    /// Whether the rank is still there after others may have gone first.
    private func turn(_ doing: String) -> Bool { (try? files.turn(doing, path)) != nil }
}
