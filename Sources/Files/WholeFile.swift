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

    /// Replaces a file in one step: a crash leaves the old contents or the new, never a part.
    ///
    /// Links are written through, and the file keeps its rights. A pipe or a terminal gets the bytes as they come, also
    /// through `/dev/stdout` or `>(…)`. `isDurable` waits for the disk.
    package static func write(
        to path: FilePath, isDurable: Bool = true, _ body: (OutputFile) throws -> Void
    ) throws {
        // Asked of the path itself: the links in /proc to a pipe lead to it, but spell no path.
        let kind = try FileKind(of: path)
        guard kind == .regular || kind == .nothing else {
            let stream = try OutputFile(path: path, flags: O_WRONLY, accepting: [.pipe, .device])
            try body(stream)
            return try stream.finish()
        }
        let target = try end(ofLinks: path), partial = target.appending(suffix: partialSuffix)
        try removeLeftover(partial)
        // Never through a link, and never onto what somebody else has put there meanwhile.
        let file = try OutputFile(path: partial, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, accepting: [.regular])
        do {
            try file.takeRights(of: target)
            try body(file)
            if isDurable { try file.synchronize() }
            try file.finish()
            try FileSystem.move(partial, to: target)
        } catch {
            // The failure is what is told; that its remains cannot be removed either adds nothing.
            try? FileSystem.remove(partial)
            throw error
        }
        if isDurable { try FileSystem.synchronize(directory: FileSystem.parent(of: target)) }
    }

    /// What a file is called until it is whole: a name that nobody else gives.
    private static let partialSuffix = ".pixpro-partial"

    /// Removes what a crash left of an earlier attempt.
    private static func removeLeftover(_ partial: FilePath) throws {
        guard FileSystem.exists(partial) else { return }
        guard try FileKind(ofLinkOrFile: partial) == .regular else {
            throw FileError(
                path: partial, reason: "is in the way: a file is written under this name before it gets its own")
        }
        try FileSystem.remove(partial)
    }

    /// Where a chain of symbolic links ends; the path itself where it is no link.
    private static func end(ofLinks path: FilePath) throws -> FilePath {
        var target = path
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            guard target.withPlatformString({ readlink($0, &buffer, Int(PATH_MAX)) }) >= 0 else { return target }
            target = target.removingLastComponent().pushing(FilePath(platformString: buffer))
        }
        throw FileError(path: path, doing: "follow its links", code: ELOOP)
    }
}
