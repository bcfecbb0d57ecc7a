import Glibc
package import SystemPackage

/// A file that is written from its start to its end, perhaps again.
package final class OutputFile: RewritableFile {
    package let path: FilePath
    package private(set) var size = 0
    private var descriptor: Int32

    /// Creates a regular file, or empties the one that is there; nothing else is written to.
    package convenience init(path: FilePath) throws {
        try self.init(path: path, flags: O_WRONLY | O_CREAT | O_TRUNC, accepting: [.regular])
    }

    init(path: FilePath, flags: Int32, accepting kinds: Set<FileKind>) throws {
        self.path = path
        // Without O_NONBLOCK a pipe that nobody reads would be waited for.
        descriptor = path.withPlatformString { open($0, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o666) }
        guard descriptor >= 0 else {
            throw errno == ENXIO
                ? FileError(path: path, reason: "is a pipe or device that nobody reads")
                : FileError(path: path, doing: "open the file for writing")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, doing: "look at it") }
        let kind = FileKind(mode: status.st_mode)
        guard kinds.contains(kind), status.st_mode & S_IFMT != S_IFBLK else {
            throw FileError(path: path, reason: "is \(kind.words), not a file that can be written")
        }
        if kind != .regular { _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        var done = 0
        while done < bytes.count {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[done..<min(done + 1 << 22, bytes.count)])
            let count = write(descriptor, piece.baseAddress!, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw FileError(path: path, doing: "write the file") }
            done += count
            size += count
        }
    }

    package func rewind() throws {
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw FileError(path: path, doing: "go back to its start") }
        size = 0
    }

    package func cut() throws {
        guard ftruncate(descriptor, size) == 0 else { throw FileError(path: path, doing: "cut the file") }
    }

    /// For what writes to a descriptor by itself.
    package func withDescriptor<Value>(_ body: (Int32) throws -> Value) rethrows -> Value { try body(descriptor) }

    /// Takes over the rights of the file that this one replaces.
    func takeRights(of other: FilePath) throws {
        var status = stat(), own = stat()
        guard other.withPlatformString({ stat($0, &status) }) == 0, fstat(descriptor, &own) == 0,
            status.st_mode & 0o777 != own.st_mode & 0o777
        else { return }
        // File systems of other systems (CIFS, some FUSE) have no rights to set: theirs are right as they are.
        guard fchmod(descriptor, status.st_mode & 0o777) == 0 || errno == EPERM || errno == ENOTSUP else {
            throw FileError(path: path, doing: "set its rights")
        }
    }

    /// Returns when the contents are on the disk.
    package func synchronize() throws {
        guard fsync(descriptor) == 0 else { throw FileError(path: path, doing: "write the file to disk (fsync)") }
    }

    /// Closes the file; network file systems report a full disk only here.
    package func finish() throws {
        let code = close(descriptor)
        descriptor = -1
        guard code == 0 else { throw FileError(path: path, doing: "close the file") }
    }
}
