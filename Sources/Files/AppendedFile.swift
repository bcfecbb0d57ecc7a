import Glibc
package import SystemPackage

/// A file that grows at its end: a log, or records that others read while they are written.
package final class AppendedFile: Sendable {
    package let path: FilePath
    private let descriptor: Int32

    /// Opens a file, or makes it where `makesIt`; `isNew` refuses one that is there. A pipe or terminal takes the bytes too.
    package init(path: FilePath, isNew: Bool = false, makesIt: Bool = true) throws {
        self.path = path
        let flags =
            O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (isNew ? O_EXCL : 0) | (makesIt ? O_CREAT : 0)
        descriptor = path.withPlatformString { open($0, flags, 0o666) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file for writing") }
        // A pipe whose reader is slow is waited for.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
    }

    deinit { close(descriptor) }

    /// One write(2), so that readers see whole records; returns how many bytes the system took, at least one.
    package func appendSome(_ bytes: [UInt8]) throws -> Int {
        while true {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError(path: path, doing: "write the file") }
            return count
        }
    }

    /// Returns when all that was appended is on the disk. Pipes and terminals have none.
    package func synchronize() throws {
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw FileError(path: path, doing: "write the file to disk (fsync)")
        }
    }

    /// All bytes: more than one write(2) only where the system took a part.
    package func append(_ bytes: [UInt8]) throws {
        var rest = bytes
        while !rest.isEmpty { rest.removeFirst(try appendSome(rest)) }
    }
}
