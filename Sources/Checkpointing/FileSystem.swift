#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A file that cannot be read or written, or is not what it should be.
public struct FileError: Error, CustomStringConvertible {
    /// The file or directory.
    public let path: String
    /// What went wrong, and what to do about it.
    public let reason: String

    public var description: String { "\(path): \(reason)" }

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// A failed system call: the one place where `errno` becomes an error.
    init(path: String, doing action: String, code: Int32 = errno) {
        let remedy =
            switch code {
            case ENOSPC: "; free space on this file system or keep fewer checkpoints (checkpoint.keep)"
            case EDQUOT, EFBIG: "; raise the limit (quota, ulimit -f) or keep fewer checkpoints (checkpoint.keep)"
            case EROFS, EACCES, EPERM: "; give this user the right to write and read there, or choose another directory"
            case ENOENT: "; is the path right, and is its file system mounted on every host?"
            case EIO, ESTALE: "; the disk or the network file system is failing"
            default: ""
            }
        self.init(path: path, reason: "cannot \(action): \(String(cString: strerror(code)))\(remedy)")
    }
}

/// The system calls that checkpoints need, with errors that name the path.
enum FileSystem {
    /// Creates a directory and those above it; one that exists is fine, whoever made it.
    static func makeDirectories(_ path: String) throws {
        if mkdir(path, 0o777) == 0 { return }
        let code = errno
        if code == EEXIST && isDirectory(path) { return }
        guard code == ENOENT, let parent = parent(path) else {
            throw FileError(path: path, doing: "create the directory", code: code)
        }
        try makeDirectories(parent)
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
            throw FileError(path: path, doing: "create the directory")
        }
    }

    static func parent(_ path: String) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return nil }
        return String(path[..<slash])
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Whether `path` is there with at least so many bytes.
    static func holds(_ path: String, byteCount: Int) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_size >= byteCount
    }

    /// Network file systems remember for a while which names a directory lacks; opening it makes them ask again.
    static func lookAnew(at directory: String) {
        guard let stream = opendir(directory) else { return }
        while readdir(stream) != nil {}
        closedir(stream)
    }

    /// The names in a directory, sorted, without `.` and `..`.
    static func names(in path: String) throws -> [String] {
        guard let directory = opendir(path) else { throw FileError(path: path, doing: "list the directory") }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file, or a directory with all that is in it; symbolic links are not followed.
    static func removeTree(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw FileError(path: path, doing: "look at it")
        }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in try names(in: path) { try removeTree(path + "/" + name) }
            guard rmdir(path) == 0 || errno == ENOENT else {
                throw FileError(path: path, doing: "remove the directory")
            }
        } else {
            guard unlink(path) == 0 || errno == ENOENT else { throw FileError(path: path, doing: "remove the file") }
        }
    }

    static func move(_ old: String, to new: String) throws {
        guard rename(old, new) == 0 else { throw FileError(path: old, doing: "rename it to \(new)") }
    }

    static func size(_ path: String) throws -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(path: path, doing: "find its size") }
        return Int(status.st_size)
    }

    /// Makes names created in, renamed into or removed from a directory survive a loss of power.
    static func synchronize(directory path: String) throws {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY)
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the directory") }
        defer { close(descriptor) }
        // Some network file systems do not know fsync on directories, and say so with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw FileError(path: path, doing: "write the directory to disk (fsync)")
        }
    }
}

/// An open file that is read at given places.
final class InputFile {
    let path: String
    let size: Int
    private let descriptor: Int32

    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = FileError(path: path, doing: "find its size")
            close(descriptor)
            throw error
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path: path, reason: "is not a file")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Fills `target` with the bytes from `offset` on.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        var done = 0
        while done < target.count {
            let count = pread(descriptor, target.baseAddress! + done, target.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path: path, doing: "read the file") }
            guard count > 0 else {
                throw FileError(
                    path: path,
                    reason: "ends at byte \(offset + done), but \(offset + target.count) are needed; it was cut short")
            }
            done += count
        }
    }

    func bytes(_ range: Range<Int>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        try bytes.withUnsafeMutableBytes { try read(into: $0, at: range.lowerBound) }
        return bytes
    }

    /// The CRC-32C of the whole file, read in pieces.
    func checksum() throws -> CRC32C {
        var checksum = CRC32C()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(max(size, 1), 1 << 22), alignment: 64)
        defer { piece.deallocate() }
        for start in stride(from: 0, to: size, by: piece.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: piece.prefix(size - start))
            try read(into: part, at: start)
            checksum.add(UnsafeRawBufferPointer(part))
        }
        return checksum
    }
}

/// A file that is written from its start to its end, and knows its size and checksum.
final class OutputFile {
    let path: String
    private(set) var size = 0
    private(set) var checksum = CRC32C()
    private var descriptor: Int32

    /// Creates the file, or empties it.
    init(path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw FileError(path: path, doing: "create the file") }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[done..<min(done + 1 << 22, bytes.count)])
            let count = write(descriptor, piece.baseAddress!, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path: path, doing: "write the file") }
            checksum.add(UnsafeRawBufferPointer(rebasing: piece.prefix(count)))
            done += count
        }
        size += bytes.count
    }

    func append(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try append($0) } }

    /// Returns when the contents are on the disk.
    func synchronize() throws {
        guard fsync(descriptor) == 0 else { throw FileError(path: path, doing: "write the file to disk (fsync)") }
    }

    /// Closes the file; network file systems report a full disk only here.
    func finish() throws {
        let code = close(descriptor)
        descriptor = -1
        guard code == 0 else { throw FileError(path: path, doing: "close the file") }
    }
}
