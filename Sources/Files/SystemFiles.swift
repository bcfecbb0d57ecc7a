import Glibc
package import SystemPackage

/// The system's files.
package struct SystemFiles: FileOperations {
    package init() {}

    package func makeDirectories(_ path: FilePath) throws { try FileSystem.makeDirectories(path) }
    package func names(in directory: FilePath) throws -> [FilePath.Component] { try FileSystem.names(in: directory) }
    package func exists(_ path: FilePath) -> Bool { FileSystem.exists(path) }
    package func holds(_ path: FilePath, byteCount: Int) -> Bool { FileSystem.holds(path, byteCount: byteCount) }
    package func size(_ path: FilePath) throws -> Int { try FileSystem.size(path) }
    package func identityAmongMachines(of path: FilePath) -> String? { FileIdentity(of: path)?.amongMachines }
    package func lookAnew(at directory: FilePath) { FileSystem.lookAnew(at: directory) }
    package func open(_ path: FilePath) throws -> any ReadableFile { try InputFile(path: path) }
    package func create(_ path: FilePath) throws -> any WritableFile { try OutputFile(path: path) }
    package func removeTree(_ path: FilePath) throws { try FileSystem.removeTree(path) }
    package func move(_ old: FilePath, to new: FilePath) throws { try FileSystem.move(old, to: new) }
    package func synchronize(directory: FilePath) throws { try FileSystem.synchronize(directory: directory) }

    package func openAgain(_ path: FilePath) throws -> any RewritableFile {
        try OutputFile(path: path, flags: O_WRONLY | O_CREAT | O_NOFOLLOW, accepting: [.regular])
    }

    package func createNew(_ path: FilePath) throws -> any WritableFile { try newFile(path) }

    private func newFile(_ path: FilePath) throws -> OutputFile {
        // Never through a link, and never onto what somebody else has put there.
        try OutputFile(path: path, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, accepting: [.regular])
    }

    package func createPartial(_ path: FilePath, replacing target: FilePath) throws -> any WritableFile {
        if FileSystem.exists(path) {
            guard try FileKind(ofLinkOrFile: path) == .regular else {
                throw FileError(
                    path: path, reason: "is in the way: a file is written under this name before it gets its own")
            }
            try FileSystem.remove(path)
        }
        let file = try newFile(path)
        do {
            try file.takeRights(of: target)
        } catch {
            // As where the file itself fails.
            try? FileSystem.remove(path)
            throw error
        }
        return file
    }

    package func destination(of path: FilePath) throws -> Destination {
        // Asked of the path itself: the links in /proc to a pipe lead to it, but spell no path.
        let kind = try FileKind(of: path)
        guard kind == .regular || kind == .nothing else {
            return .stream(try OutputFile(path: path, flags: O_WRONLY, accepting: [.pipe, .device]))
        }
        return .file(try end(ofLinks: path))
    }

    /// Where a chain of symbolic links ends; the path itself where it is no link.
    private func end(ofLinks path: FilePath) throws -> FilePath {
        var target = path
        for _ in 0..<40 {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
            guard target.withPlatformString({ readlink($0, &buffer, Int(PATH_MAX)) }) >= 0 else { return target }
            target = target.removingLastComponent().pushing(FilePath(platformString: buffer))
        }
        throw FileError(path: path, doing: "follow its links", code: ELOOP)
    }

    package func openLock(_ path: FilePath, makesIt: Bool) throws -> any LockFile {
        try SystemLockFile(path: path, makesIt: makesIt)
    }
}
