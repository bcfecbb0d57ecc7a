import Glibc
package import SystemPackage

/// A file that cannot be read or written, or is not what it should be.
package struct FileError: Error, CustomStringConvertible {
    /// The file or directory.
    package let path: FilePath
    /// What went wrong.
    package let cause: String
    /// What to do about it, after a semicolon; empty where there is nothing to say.
    private let remedy: String
    /// The system's code, where a system call failed.
    package let code: Int32?

    /// What went wrong, and what to do about it.
    package var reason: String { cause + remedy }

    package var description: String { "\(path.shown): \(reason)" }

    package init(path: FilePath, reason: String) {
        (self.path, cause, remedy, code) = (path, reason, "", nil)
    }

    /// A failed system call: the one place where `errno` becomes an error.
    package init(path: FilePath, doing action: String, code: Int32 = errno) {
        self.path = path
        self.code = code
        cause = "cannot \(action): \(String(cString: strerror(code)))"
        remedy = Self.remedy(for: code)
    }

    private init(_ error: FileError, remedy: String) {
        (path, cause, code, self.remedy) = (error.path, error.cause, error.code, remedy)
    }

    /// Whether it tells nothing of what is in the file: the server was away, or the right or the means to look were missing. Of
    /// a disk that fails (EIO) the contents are lost.
    package var isOfLooking: Bool {
        let codes = TransientErrors.codes.subtracting([EIO]).union([EACCES, EPERM, EMFILE, ENFILE, ENOMEM])
        return code.map(codes.contains) ?? false
    }

    /// The same with more advice.
    package func advising(_ advice: String) -> FileError { FileError(self, remedy: "\(remedy) \(advice)") }

    private static func remedy(for code: Int32) -> String {
        switch code {
        case ENOSPC: "; free space on this file system"
        case EDQUOT, EFBIG: "; raise the limit (quota, ulimit -f) or free space"
        case EMFILE, ENFILE: "; raise the limit of open files (ulimit -n)"
        case EROFS, EACCES, EPERM: "; give this user the right to it, or choose another path"
        case ENOENT: "; is the path right, and is its file system mounted on every host?"
        case EIO, ESTALE: "; the disk or the network file system is failing"
        default: ""
        }
    }
}
