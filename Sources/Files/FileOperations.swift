package import SystemPackage

/// What programs do with files that must outlive a crash: by the system's own (`SystemFiles`), or by those of a test,
/// which can lose what was not synchronized.
package protocol FileOperations: Sendable {
    /// Creates a directory and those above it; one that exists is fine, whoever made it.
    func makeDirectories(_ path: FilePath) throws
    /// What is in a directory, ordered by bytes.
    func names(in directory: FilePath) throws -> [FilePath.Component]
    func exists(_ path: FilePath) -> Bool
    /// Whether `path` is there with at least so many bytes.
    func holds(_ path: FilePath, byteCount: Int) -> Bool
    func size(_ path: FilePath) throws -> Int
    /// The same for two processes only where they see one file of one machine; nil where there is none, or the system does not
    /// tell.
    func identityAmongMachines(of path: FilePath) -> String?
    /// Has a network file system ask again which names a directory lacks.
    func lookAnew(at directory: FilePath)
    func open(_ path: FilePath) throws -> any ReadableFile
    /// Creates a file, or empties the one that is there.
    func create(_ path: FilePath) throws -> any WritableFile
    /// Creates a file; one that is there already, whoever made it, is an error (`EEXIST`).
    func createNew(_ path: FilePath) throws -> any WritableFile
    /// Creates the file that is going to replace `target`, with its rights. What a crash left under its name goes; what is
    /// not from there is an error.
    func createPartial(_ path: FilePath, replacing target: FilePath) throws -> any WritableFile
    /// Opens a file to write it again, over what it holds; it is made where it is not there. Links are not followed.
    func openAgain(_ path: FilePath) throws -> any RewritableFile
    func destination(of path: FilePath) throws -> Destination
    /// The file is made where it is not there, if `makesIt`.
    func openLock(_ path: FilePath, makesIt: Bool) throws -> any LockFile
    /// Removes a file, or a directory with all that is in it; one that is not there is fine.
    func removeTree(_ path: FilePath) throws
    func move(_ old: FilePath, to new: FilePath) throws
    /// Makes names created in, renamed into or removed from a directory survive a loss of power.
    func synchronize(directory: FilePath) throws
}

/// Where what is written to a path goes.
package enum Destination {
    /// Through links; there need not be a file.
    case file(FilePath)
    /// A pipe or a terminal.
    case stream(any WritableFile)
}

extension FileOperations {
    /// The text of a file in UTF-8; bytes that are no UTF-8 become replacement characters.
    package func text(of path: FilePath, limit: Int) throws -> String {
        let file = try open(path)
        guard file.size <= limit else {
            throw FileError(path: path, reason: "has more than \(limit) bytes; is it the right file?")
        }
        return String(decoding: try file.bytes(0..<file.size), as: UTF8.self)
    }

    /// Creates a directory and those above it so that a loss of power takes none of them: the names of those that were
    /// made, and that of `path` in any case, are on the disk then.
    package func makeLastingDirectories(_ path: FilePath) throws {
        var holders = [FileSystem.parent(of: path)]
        while let holder = holders.last, !exists(holder), holder != FileSystem.parent(of: holder) {
            holders.append(FileSystem.parent(of: holder))
        }
        try makeDirectories(path)
        for holder in holders { try synchronize(directory: holder) }
    }
}

/// A file that is read at given places, by several threads at once.
package protocol ReadableFile: AnyObject, Sendable {
    var path: FilePath { get }
    var size: Int { get }
    /// Fills `target` with the bytes from `offset` on; too few of them are an error.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws
}

extension ReadableFile {
    /// The bytes of a range, which must lie in the file.
    package func bytes(_ range: Range<Int>) throws -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= size else {
            throw FileError(
                path: path,
                reason: "ends at byte \(size), but \(range.upperBound) are needed; it was cut short")
        }
        return try [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            try read(into: UnsafeMutableRawBufferPointer(buffer), at: range.lowerBound)
            count = range.count
        }
    }
}

/// A file that is written from its start to its end.
package protocol WritableFile: AnyObject {
    var path: FilePath { get }
    /// Bytes that were appended, since its start.
    var size: Int { get }
    func append(_ bytes: UnsafeRawBufferPointer) throws
    /// Returns when the contents are on the disk.
    func synchronize() throws
    /// Closes the file; network file systems report a full disk only here.
    func finish() throws
}

/// A file that is written again, over what it held: it keeps the room that it has.
package protocol RewritableFile: WritableFile {
    /// What is appended next is the file's start.
    func rewind() throws
    /// The file ends with what was appended last.
    func cut() throws
}

extension WritableFile {
    package func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }
}
