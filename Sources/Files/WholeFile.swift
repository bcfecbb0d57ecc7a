import Glibc
package import SystemPackage

/// Files that are read or replaced as a whole.
package enum WholeFile {
    /// More than this is no configuration, list or index that a person or this program made.
    package static let limit = 1 << 30

    /// All bytes of a file; also of a pipe, so that `--config <(…)` works.
    ///
    /// What fails for a moment is tried again.
    package static func bytes(of path: FilePath, limit: Int = limit) throws -> [UInt8] {
        try TransientErrors.retry { _ in try bytesOnce(of: path, limit: limit) }
    }

    private static func bytesOnce(of path: FilePath, limit: Int) throws -> [UInt8] {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_NOCTTY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
        defer { close(descriptor) }
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError(path: path, doing: "read the file") }
            if count == 0 { return bytes }
            bytes += piece[..<count]
            guard bytes.count <= limit else {
                throw FileError(path: path, reason: "has more than \(limit) bytes; is it the right file?")
            }
        }
    }

    /// The text of a file in UTF-8; bytes that are no UTF-8 become replacement characters.
    package static func text(of path: FilePath, limit: Int = limit) throws -> String {
        String(decoding: try bytes(of: path, limit: limit), as: UTF8.self)
    }

    package static func write(_ text: String, to path: FilePath) throws { try write(Array(text.utf8), to: path) }

    package static func write(_ bytes: [UInt8], to path: FilePath, isDurable: Bool = true) throws {
        try write(to: path, isDurable: isDurable) { try $0.append(bytes) }
    }

    /// Replaces one of the system's files in one step; see `FileOperations.replace`.
    package static func write(
        to path: FilePath, isDurable: Bool = true, _ body: (any WritableFile) throws -> Void
    ) throws {
        try SystemFiles().replace(path, isDurable: isDurable, body)
    }
}

extension [UInt8] {
    /// Without the mark of their order that editors of Windows put before UTF-8.
    package var withoutByteOrderMark: [UInt8] { starts(with: [0xEF, 0xBB, 0xBF]) ? Array(dropFirst(3)) : self }
}
