import Files
import Synchronization
import SystemPackage
import TestSupport

/// Files as a program would have them that commits a checkpoint before its shards are written: what is put into a shard
/// reaches the file only when the next checkpoint begins, though its size is told at once.
final class ManifestFirst: FileOperations, @unchecked Sendable {
    // @unchecked: touched in turns.
    private let files: SimulatedFiles
    /// By path: what was put into shards and has not reached them.
    private var waiting: [FilePath: ShardLater] = [:]

    init(_ files: SimulatedFiles) { self.files = files }

    func create(_ path: FilePath) throws -> any WritableFile {
        guard path.lastComponent?.string.hasPrefix("shard") == true else { return try files.create(path) }
        for (other, shard) in waiting where other.removingLastComponent() != path.removingLastComponent() {
            waiting[other] = nil
            try shard.write()
        }
        let shard = ShardLater(try files.create(path))
        waiting[path] = shard
        return shard
    }

    func size(_ path: FilePath) throws -> Int { try waiting[path]?.size ?? files.size(path) }

    func holds(_ path: FilePath, byteCount: Int) -> Bool {
        waiting[path].map { $0.size >= byteCount } ?? files.holds(path, byteCount: byteCount)
    }

    func makeDirectories(_ path: FilePath) throws { try files.makeDirectories(path) }
    func names(in directory: FilePath) throws -> [FilePath.Component] { try files.names(in: directory) }
    func exists(_ path: FilePath) -> Bool { files.exists(path) }
    func identityAmongMachines(of path: FilePath) -> String? { files.identityAmongMachines(of: path) }
    func lookAnew(at directory: FilePath) { files.lookAnew(at: directory) }
    func open(_ path: FilePath) throws -> any ReadableFile { try files.open(path) }
    func createNew(_ path: FilePath) throws -> any WritableFile { try files.createNew(path) }
    func createPartial(_ path: FilePath, replacing target: FilePath) throws -> any WritableFile {
        try files.createPartial(path, replacing: target)
    }
    func openAgain(_ path: FilePath) throws -> any RewritableFile { try files.openAgain(path) }
    func destination(of path: FilePath) throws -> Destination { try files.destination(of: path) }
    func openLock(_ path: FilePath, makesIt: Bool) throws -> any LockFile {
        try files.openLock(path, makesIt: makesIt)
    }
    func removeTree(_ path: FilePath) throws { try files.removeTree(path) }
    func move(_ old: FilePath, to new: FilePath) throws { try files.move(old, to: new) }
    func synchronize(directory: FilePath) throws { try files.synchronize(directory: directory) }
}

/// A file whose contents come later.
private final class ShardLater: WritableFile {
    private let file: any WritableFile
    private var bytes: [UInt8] = []

    init(_ file: any WritableFile) { self.file = file }

    var path: FilePath { file.path }
    var size: Int { bytes.count }
    func append(_ bytes: UnsafeRawBufferPointer) { self.bytes += bytes }
    func synchronize() {}
    func finish() {}

    /// Now they are there.
    func write() throws {
        try file.append(bytes)
        try file.synchronize()
        try file.finish()
        bytes = []
    }
}
