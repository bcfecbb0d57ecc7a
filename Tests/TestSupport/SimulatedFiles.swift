package import Files
import Glibc
package import SystemPackage
package import TensorCore
import Threads

/// Files in memory that all simulated ranks share. Each operation is one at which another rank may go first.
///
/// A loss of power leaves of what was not synchronized any part: of the changes to a directory's names any, of the bytes
/// added to a file any blocks.
package final class SimulatedFiles: FileOperations, @unchecked Sendable {
    // @unchecked: touched in turns, and when no rank runs.
    /// Whose turns they are; nil while a test looks at files by itself.
    package var ranks: SimulatedRanks?
    /// Whether synchronizing does what it says: what a loss of power does to a program that forgets it.
    package var synchronizes = true
    /// Whether files can be locked.
    package var hasLocks = true
    /// Of these ranks they cannot, whatever others can.
    package var ranksWithoutLocks: Set<Int> = []
    private let root = SimulatedNode(.directory)
    /// By rank, how many operations are left before the one that fails.
    private var failures: [Int: Int] = [:]
    /// Until when it is not shown.
    private var late: [FilePath: Double] = [:]
    /// Until when it may not be opened.
    private var forbidden: [FilePath: Double] = [:]

    /// `directory` is there, and safe.
    package init(directory: FilePath) {
        var node = root
        for name in Self.names(of: directory) {
            let child = SimulatedNode(.directory)
            node.set(name, child)
            node.synchronize()
            node = child
        }
    }

    /// Everything is as after a restart; what remains of changes that were not synchronized, the generator decides.
    package func losePower(_ generator: inout KeyedGenerator) { root.losePower(&generator) }

    /// Makes a rank's n-th operation from now on, from one, fail as a broken disk does.
    package func fail(rank: Int, atOperation operation: Int) { failures[rank] = operation }

    /// Does not show a file to ranks before that moment of their time, as a network file system may.
    package func show(_ path: FilePath, from seconds: Double) { late[path] = seconds }

    /// Does not let ranks open a file before that moment of their time, as when the right to it is missing.
    package func forbid(_ path: FilePath, until seconds: Double) { forbidden[path] = seconds }

    /// Changes a file's bytes behind the back of those who use it.
    package func damage(_ path: FilePath, _ change: (inout [UInt8]) -> Void) throws {
        change(&(try node(path, doing: "damage the file")).bytes)
    }

    // MARK: Operations

    package func makeDirectories(_ path: FilePath) throws {
        try turn("makes the directory", path)
        var node = root
        for name in Self.names(of: path) {
            guard node.kind == .directory else { throw failure(path, "create the directory", ENOTDIR) }
            if node.names[name] == nil { node.set(name, SimulatedNode(.directory)) }
            node = node.names[name]!
        }
        guard node.kind == .directory else { throw failure(path, "create the directory", EEXIST) }
    }

    package func names(in directory: FilePath) throws -> [FilePath.Component] {
        try turn("lists", directory)
        return try node(directory, doing: "list the directory").names.keys.sorted().map { FilePath.Component($0)! }
    }

    package func exists(_ path: FilePath) -> Bool { look(at: path) != nil }

    package func holds(_ path: FilePath, byteCount: Int) -> Bool {
        look(at: path).map { $0.bytes.count >= byteCount } ?? false
    }

    package func size(_ path: FilePath) throws -> Int {
        try turn("asks for the size of", path)
        return try node(path, doing: "find its size").bytes.count
    }

    package func identityAmongMachines(of path: FilePath) -> String? { find(path) == nil ? nil : path.string }

    package func lookAnew(at directory: FilePath) { _ = look(at: directory) }

    package func open(_ path: FilePath) throws -> any ReadableFile {
        try turn("opens", path)
        if let seconds = forbidden[path], let ranks, ranks.clock.monotonic < seconds {
            throw failure(path, "open the file", EACCES)
        }
        let node = try node(path, doing: "open the file")
        guard node.kind == .file else { throw FileError(path: path, reason: "is a folder, not a file") }
        return SimulatedInput(path: path, files: self, node: node)
    }

    package func create(_ path: FilePath) throws -> any WritableFile {
        try turn("creates", path)
        return try output(path)
    }

    private func output(_ path: FilePath) throws -> SimulatedOutput {
        let parent = try parent(of: path, doing: "open the file for writing")
        let node = SimulatedNode(.file)
        parent.set(Self.names(of: path).last!, node)
        return SimulatedOutput(path: path, files: self, node: node)
    }

    package func createNew(_ path: FilePath) throws -> any WritableFile {
        try turn("creates anew", path)
        guard find(path) == nil else { throw failure(path, "open the file for writing", EEXIST) }
        return try output(path)
    }

    package func createPartial(_ path: FilePath, replacing target: FilePath) throws -> any WritableFile {
        try create(path)
    }

    package func openAgain(_ path: FilePath) throws -> any RewritableFile {
        try turn("opens again", path)
        if find(path) == nil { _ = try output(path) }
        return SimulatedOutput(path: path, files: self, node: try node(path, doing: "open the file"))
    }

    /// There are no links and no streams.
    package func destination(of path: FilePath) throws -> Destination { .file(path) }

    package func openLock(_ path: FilePath, makesIt: Bool) throws -> any LockFile {
        try turn("opens", path)
        if makesIt, find(path) == nil {
            try parent(of: path, doing: "open the file").set(Self.names(of: path).last!, SimulatedNode(.file))
        }
        return SimulatedLock(path: path, files: self, node: try node(path, doing: "open the file"))
    }

    package func removeTree(_ path: FilePath) throws {
        guard let node = find(path) else { return }
        for name in node.names.keys.sorted() { try removeTree(path.appending(name)) }
        try turn("removes", path)
        try parent(of: path, doing: "remove the file").set(Self.names(of: path).last!, nil)
    }

    /// Within one directory.
    package func move(_ old: FilePath, to new: FilePath) throws {
        let names = (old: Self.names(of: old), new: Self.names(of: new))
        precondition(names.old.dropLast() == names.new.dropLast(), "\(old) to \(new)")
        let (oldName, newName) = (names.old.last!, names.new.last!)
        try turn("renames to \(newName)", old)
        let node = try node(old, doing: "rename it to \(new.shown)"), parent = try parent(of: old, doing: "rename it")
        if let replaced = parent.names[newName], !replaced.names.isEmpty {
            throw failure(old, "rename it to \(new.shown)", ENOTEMPTY)
        }
        parent.change([(oldName, nil), (newName, node)])
    }

    package func synchronize(directory: FilePath) throws {
        try turn("synchronizes", directory)
        let node = try node(directory, doing: "open the directory")
        if synchronizes { node.synchronize() }
    }

    // MARK: Turns and nodes

    /// Another rank may go first.
    func turn(_ doing: String, _ path: FilePath) throws {
        guard let ranks, let rank = ranks.turns.rank else { return }
        try ranks.begin("\(doing) \(path.string)", rank: rank)
        guard let left = failures[rank] else { return }
        failures[rank] = left > 1 ? left - 1 : nil
        if left == 1 { throw failure(path, "use the disk", EIO) }
    }

    /// What is there; nothing for a rank that is killed.
    private func look(at path: FilePath) -> SimulatedNode? {
        do {
            try turn("looks at", path)
            return find(path)
        } catch {
            return nil
        }
    }

    /// Of the directories on the way and of the last. (What SystemPackage makes of a path takes most of a simulation's time
    /// where nothing is optimized.)
    private static func names(of path: FilePath) -> [String] {
        path.withPlatformString { String(cString: $0) }.utf8.split(separator: UInt8(ascii: "/")).map { String($0)! }
    }

    func find(_ path: FilePath) -> SimulatedNode? {
        if !late.isEmpty, let seconds = late[path], let ranks, ranks.clock.monotonic < seconds { return nil }
        return find(Self.names(of: path)[...])
    }

    private func find(_ names: ArraySlice<String>) -> SimulatedNode? {
        var node = root
        for name in names {
            guard let next = node.names[name] else { return nil }
            node = next
        }
        return node
    }

    private func node(_ path: FilePath, doing action: String) throws -> SimulatedNode {
        guard let node = find(path) else { throw failure(path, action, ENOENT) }
        return node
    }

    private func parent(of path: FilePath, doing action: String) throws -> SimulatedNode {
        guard let node = find(Self.names(of: path).dropLast()) else { throw failure(path, action, ENOENT) }
        return node
    }

    private func failure(_ path: FilePath, _ action: String, _ code: Int32) -> FileError {
        FileError(path: path, doing: action, code: code)
    }
}

private final class SimulatedInput: ReadableFile, @unchecked Sendable {
    // @unchecked: as the files.
    let path: FilePath
    let size: Int
    private let files: SimulatedFiles
    private let node: SimulatedNode

    init(path: FilePath, files: SimulatedFiles, node: SimulatedNode) {
        (self.path, self.files, self.node, size) = (path, files, node, node.bytes.count)
    }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try files.turn("reads", path)
        guard offset + target.count <= node.bytes.count else {
            throw FileError(path: path, reason: "ends at byte \(node.bytes.count); it was cut short")
        }
        target.copyBytes(from: node.bytes[offset..<offset + target.count])
    }
}

private final class SimulatedOutput: RewritableFile {
    let path: FilePath
    private(set) var size = 0
    private let files: SimulatedFiles
    private let node: SimulatedNode

    init(path: FilePath, files: SimulatedFiles, node: SimulatedNode) {
        (self.path, self.files, self.node) = (path, files, node)
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        try files.turn("writes", path)
        node.bytes.replaceSubrange(size..<min(size + bytes.count, node.bytes.count), with: bytes)
        size += bytes.count
    }

    func synchronize() throws {
        try files.turn("synchronizes", path)
        if files.synchronizes { node.synchronize() }
    }

    func finish() throws { try files.turn("closes", path) }

    func rewind() throws {
        try files.turn("rewinds", path)
        size = 0
    }

    func cut() throws {
        try files.turn("cuts", path)
        node.bytes.removeLast(node.bytes.count - size)
    }
}
