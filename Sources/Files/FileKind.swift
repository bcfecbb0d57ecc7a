import Glibc
package import SystemPackage

/// What lies under a name.
package enum FileKind: Sendable, Equatable {
    case regular, directory, pipe, socket, device, nothing

    /// In words that follow "is".
    package var words: String {
        switch self {
        case .regular: "a file"
        case .directory: "a folder"
        case .pipe: "a pipe"
        case .socket: "a socket"
        case .device: "a device"
        case .nothing: "a link to nothing"
        }
    }

    /// Of what `path` leads to, links followed.
    package init(of path: FilePath) throws {
        self = try TransientErrors.retry { _ in
            var status = stat()
            guard path.withPlatformString({ stat($0, &status) }) == 0 else {
                if [ENOENT, ELOOP, ENOTDIR].contains(errno) { return .nothing }
                throw FileError(path: path, doing: "look at it")
            }
            return FileKind(mode: status.st_mode)
        }
    }

    /// Of `path` itself; a link counts as a device, which is nothing to write to.
    init(ofLinkOrFile path: FilePath) throws {
        var status = stat()
        guard path.withPlatformString({ lstat($0, &status) }) == 0 else {
            throw FileError(path: path, doing: "look at it")
        }
        self.init(mode: status.st_mode)
    }

    init(mode: mode_t) {
        switch mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFDIR: self = .directory
        case S_IFIFO: self = .pipe
        case S_IFSOCK: self = .socket
        default: self = .device
        }
    }
}
