import Glibc

/// A file could not be read or written.
public struct TextFileError: Error, CustomStringConvertible {
    public let path: String
    /// What was tried: "open", "write", …
    public let action: String
    /// The system's words, such as "No space left on device".
    public let reason: String

    public var description: String { "cannot \(action) \(path): \(reason)" }

    /// Of the system call that failed just now.
    init(path: String, action: String, errorNumber: Int32 = errno) {
        self.path = path
        self.action = action
        self.reason = String(cString: strerror(errorNumber))
    }

    init(path: String, action: String, reason: String) {
        self.path = path
        self.action = action
        self.reason = reason
    }
}

/// Whole small files: configuration, metrics.
public enum TextFile {
    public static func read(_ path: String) throws -> String {
        String(decoding: try readBytes(path), as: UTF8.self)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func readBytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TextFileError(path: path, action: "open") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw TextFileError(path: path, action: "read") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Replaces the file in one step: a crash leaves the old content or the new, never a part.
    public static func write(_ text: String, to path: String) throws {
        try write(Array(text.utf8), to: path)
    }

    public static func write(_ bytes: [UInt8], to path: String) throws {
        let partial = path + ".partial"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw TextFileError(path: partial, action: "open") }
        do {
            defer { close(descriptor) }
            try writeAll(bytes, to: descriptor, path: partial)
            guard fsync(descriptor) == 0 else { throw TextFileError(path: partial, action: "flush") }
        } catch {
            unlink(partial)
            throw error
        }
        guard rename(partial, path) == 0 else { throw TextFileError(path: path, action: "rename \(partial) to") }
    }

    /// One write(2), repeated only where the system took a part.
    static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress! + written, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw TextFileError(path: path, action: "write") }
            written += count
        }
    }
}
