import Glibc
import SystemPackage

/// A file that one process holds at a time, of all that see it on any host; a crash lets go of it.
package protocol LockFile: AnyObject, Sendable {
    /// Tries to lock it, without waiting, for as long as this object lives.
    func tryLock() -> LockOutcome
    /// Whether another holds it.
    var isHeldByAnother: Bool { get }
    /// Its first line; empty where it cannot be read.
    var line: String { get }
    /// Has the file say `line`, which other hosts and people read.
    func write(line: String) throws
    /// Whether its path still leads to it: it was not removed, replaced or unmounted. Throws where that cannot be seen.
    var isInPlace: Bool { get throws }
}

package enum LockOutcome: Sendable {
    case locked, taken
    /// The file system has no locks.
    case unsupported
}

/// One of the system's, locked with fcntl(2): a descriptor is what the kernel hangs the lock on, and asks for who it is.
final class SystemLockFile: LockFile {
    private let path: FilePath
    private let descriptor: Int32

    init(path: FilePath, makesIt: Bool) throws {
        self.path = path
        let flags = O_RDWR | O_CLOEXEC | (makesIt ? O_CREAT : 0)
        descriptor = path.withPlatformString { open($0, flags, 0o666) }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file") }
    }

    deinit { close(descriptor) }

    func tryLock() -> LockOutcome {
        // F_OFD_SETLK, which Swift's Glibc leaves out: the lock belongs to the open file, not to the process.
        let setOpenFileLock: Int32 = 37
        var region = wholeFile
        if fcntl(descriptor, setOpenFileLock, &region) == 0 { return .locked }
        return errno == EAGAIN || errno == EACCES ? .taken : .unsupported
    }

    var isHeldByAnother: Bool {
        // F_OFD_GETLK, which Swift's Glibc leaves out.
        let getOpenFileLock: Int32 = 36
        var region = wholeFile
        return fcntl(descriptor, getOpenFileLock, &region) == 0 && region.l_type != Int16(F_UNLCK)
    }

    private var wholeFile: flock {
        var region = flock()
        region.l_type = Int16(F_WRLCK)
        region.l_whence = Int16(SEEK_SET)
        return region
    }

    var line: String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        return text.split(separator: "\n").first.map(String.init) ?? ""
    }

    func write(line: String) throws {
        let bytes = Array((line + "\n").utf8)
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, ftruncate(descriptor, off_t(bytes.count)) == 0
        else { throw FileError(path: path, doing: "write the file") }
    }

    var isInPlace: Bool {
        get throws {
            try TransientErrors.retry { _ in
                var held = stat(), found = stat()
                guard fstat(descriptor, &held) == 0 else { throw FileError(path: path, doing: "look at the file") }
                guard path.withPlatformString({ stat($0, &found) }) == 0 else {
                    if errno == ENOENT || errno == ENOTDIR { return false }
                    throw FileError(path: path, doing: "look at the file")
                }
                return held.st_ino == found.st_ino && held.st_dev == found.st_dev
            }
        }
    }
}
