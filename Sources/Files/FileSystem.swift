import Glibc
package import SystemPackage

/// Directories and names by system calls, whose failures become errors that name the path.
package enum FileSystem {
    /// Creates a directory and those above it; one that exists is fine, whoever made it.
    package static func makeDirectories(_ path: FilePath) throws {
        guard !path.isEmpty else { return }
        if make(path) == 0 { return }
        let code = errno
        if code == EEXIST, isDirectory(path) { return }
        let parent = path.removingLastComponent()
        guard code == ENOENT, parent != path else {
            throw FileError(path: path, doing: "create the directory", code: code)
        }
        try makeDirectories(parent)
        guard make(path) == 0 || errno == EEXIST else { throw FileError(path: path, doing: "create the directory") }
    }

    private static func make(_ path: FilePath) -> Int32 { path.withPlatformString { mkdir($0, 0o777) } }

    /// The directory that holds `path`.
    package static func parent(of path: FilePath) -> FilePath {
        let parent = path.removingLastComponent()
        return parent.isEmpty ? "." : parent
    }

    /// The path from the root, from where this process is.
    package static func absolute(_ path: FilePath) -> FilePath {
        guard path.isRelative, let directory = getcwd(nil, 0) else { return path }
        defer { free(directory) }
        return FilePath(platformString: directory).pushing(path).lexicallyNormalized()
    }

    package static func isDirectory(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// The path without links and detours; as it is where it leads nowhere.
    package static func canonical(_ path: FilePath) -> FilePath {
        guard let resolved = path.withPlatformString({ realpath($0, nil) }) else { return path }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }

    /// Whether there is something of that name, be it a link to nothing. What cannot be looked at (for want of permission,
    /// or of the file system's server) counts as there: whoever opens it learns why not.
    package static func exists(_ path: FilePath) -> Bool {
        var status = stat()
        if path.withPlatformString({ lstat($0, &status) }) == 0 { return true }
        return errno != ENOENT && errno != ENOTDIR
    }

    /// Whether `path` is there with at least so many bytes.
    package static func holds(_ path: FilePath, byteCount: Int) -> Bool {
        var status = stat()
        return path.withPlatformString { stat($0, &status) } == 0 && status.st_size >= byteCount
    }

    package static func size(_ path: FilePath) throws -> Int {
        try TransientErrors.retry { _ in
            var status = stat()
            guard path.withPlatformString({ stat($0, &status) }) == 0 else {
                throw FileError(path: path, doing: "find its size")
            }
            return Int(status.st_size)
        }
    }

    /// Bytes that this user may still write to the file system of a folder; nil where that cannot be told.
    package static func freeSpace(in folder: FilePath) -> Int? {
        var space = statvfs()
        guard folder.withPlatformString({ statvfs($0, &space) }) == 0 else { return nil }
        return Int(space.f_bavail) * Int(space.f_frsize)
    }

    /// Network file systems remember for a while which names a directory lacks; opening it makes them ask again.
    package static func lookAnew(at directory: FilePath) {
        guard let stream = directory.withPlatformString({ opendir($0) }) else { return }
        while readdir(stream) != nil {}
        closedir(stream)
    }

    /// Whether a directory holds nothing; reads no more of it than its first entry.
    package static func isEmpty(_ path: FilePath) throws -> Bool {
        guard let directory = path.withPlatformString({ opendir($0) }) else {
            throw FileError(path: path, doing: "list the directory")
        }
        defer { closedir(directory) }
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                // SAFETY: d_name ends with a zero byte, within the record that readdir returned.
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FilePath.Component(platformString: $0) }
            }
            if name?.kind == .regular { return false }
        }
        guard errno == 0 else { throw FileError(path: path, doing: "list the directory") }
        return true
    }

    /// What a directory lists: a name, and its kind where the file system tells it for nothing.
    package struct Entry: Sendable {
        package let name: FilePath.Component
        /// nil for links and where it is unknown: ask `FileKind(of:)`.
        package let kind: FileKind?
    }

    /// What is in a directory, ordered by the bytes of its names, without `.` and `..`.
    package static func entries(in path: FilePath) throws -> [Entry] {
        try TransientErrors.retry { _ in try listing(of: path) }
    }

    private static func listing(of path: FilePath) throws -> [Entry] {
        guard let directory = path.withPlatformString({ opendir($0) }) else {
            throw FileError(path: path, doing: "list the directory")
        }
        defer { closedir(directory) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                // SAFETY: d_name ends with a zero byte, within the record that readdir returned.
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { FilePath.Component(platformString: $0) }
            }
            guard let name, name.kind == .regular else { continue }
            entries.append(Entry(name: name, kind: kind(ofType: Int32(entry.pointee.d_type))))
        }
        guard errno == 0 else { throw FileError(path: path, doing: "list the directory") }
        return entries.sorted { FilePath.Component.areInOrder($0.name, $1.name) }
    }

    private static func kind(ofType type: Int32) -> FileKind? {
        switch Int(type) {
        case Int(DT_REG): .regular
        case Int(DT_DIR): .directory
        case Int(DT_FIFO): .pipe
        case Int(DT_SOCK): .socket
        case Int(DT_CHR), Int(DT_BLK): .device
        default: nil
        }
    }

    package static func names(in path: FilePath) throws -> [FilePath.Component] { try entries(in: path).map(\.name) }

    /// Removes a file, or a directory with all that is in it; symbolic links are not followed.
    package static func removeTree(_ path: FilePath) throws {
        var status = stat()
        guard path.withPlatformString({ lstat($0, &status) }) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw FileError(path: path, doing: "look at it")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return try remove(path) }
        for name in try names(in: path) { try removeTree(path.appending(name)) }
        guard path.withPlatformString({ rmdir($0) }) == 0 || errno == ENOENT else {
            throw FileError(path: path, doing: "remove the directory")
        }
    }

    /// Removes a file; one that is not there is fine.
    package static func remove(_ path: FilePath) throws {
        guard path.withPlatformString({ unlink($0) }) == 0 || errno == ENOENT else {
            throw FileError(path: path, doing: "remove the file")
        }
    }

    package static func move(_ old: FilePath, to new: FilePath) throws {
        let code = old.withPlatformString { old in new.withPlatformString { rename(old, $0) } }
        guard code == 0 else { throw FileError(path: old, doing: "rename it to \(new.shown)") }
    }

    /// Makes names created in, renamed into or removed from a directory survive a loss of power.
    package static func synchronize(directory path: FilePath) throws {
        let descriptor = path.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        // One that may be entered and not read is its owner's to care for.
        if descriptor < 0, errno == EACCES { return }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the directory") }
        defer { close(descriptor) }
        // Some network file systems do not know fsync on directories, and say so with EINVAL.
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw FileError(path: path, doing: "write the directory to disk (fsync)")
        }
    }
}
