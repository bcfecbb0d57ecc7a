import Glibc
package import SystemPackage

/// An open file that is read at given places. Safe to read from several threads.
package final class InputFile: ReadableFile {
    package let path: FilePath
    package let size: Int
    private let descriptor: Int32

    /// Opens a regular file; anything else is a `FileError` at once: a pipe or device is not waited for.
    package init(path: FilePath) throws {
        self.path = path
        descriptor = try TransientErrors.retry { _ in try Self.open(path) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = FileError(path: path, doing: "find its size")
            close(descriptor)
            throw error
        }
        let kind = FileKind(mode: status.st_mode)
        guard kind == .regular else {
            close(descriptor)
            throw FileError(path: path, reason: "is \(kind.words), not a file")
        }
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    private static func open(_ path: FilePath) throws -> Int32 {
        let descriptor = path.withPlatformString { Glibc.open($0, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
        return descriptor
    }

    /// Fills `target` with the bytes from `offset` on; too few of them are an error.
    package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        let count = try readAvailable(into: target, at: offset)
        guard count == target.count else {
            throw FileError(
                path: path,
                reason: "ends at byte \(offset + count), but \(offset + target.count) are needed; it was cut short")
        }
    }

    /// Fills `target` with the bytes from `offset` on as far as the file goes; returns their number.
    ///
    /// What fails for a moment is tried again, from a file opened anew: a stale handle stays stale.
    package func readAvailable(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        try TransientErrors.retry { isFirst in
            if isFirst { return try read(descriptor, into: target, at: offset) }
            let anew = try Self.open(path)
            defer { close(anew) }
            return try read(anew, into: target, at: offset)
        }
    }

    private func read(
        _ descriptor: Int32, into target: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws -> Int {
        var done = 0
        while done < target.count {
            let count = pread(descriptor, target.baseAddress! + done, target.count - done, off_t(offset + done))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path: path, doing: "read the file") }
            guard count > 0 else { break }
            done += count
        }
        return done
    }
}
