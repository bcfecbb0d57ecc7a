#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// A file that appears under its name only when it is complete.
final class OutputFile {
    private let path: String
    private var descriptor: Int32

    private let isDurable: Bool

    /// `isDurable` waits for the disk before the file gets its name.
    init(folder: String, name: String, isDurable: Bool = true) throws {
        path = folder + "/" + name
        self.isDurable = isDurable
        descriptor = open(path + ".partial", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("create") }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func write(_ bytes: [UInt8]) throws {
        var done = 0
        while done < bytes.count {
            let put = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if put < 0, errno == EINTR { continue }
            guard put > 0 else { throw failure("write") }
            done += put
        }
    }

    func finish() throws {
        guard !isDurable || fsync(descriptor) == 0, close(descriptor) == 0 else { throw failure("write") }
        descriptor = -1
        guard rename(path + ".partial", path) == 0 else { throw failure("rename") }
    }

    private func failure(_ action: String) -> IndexError {
        IndexError("cannot \(action) \(path): \(String(cString: strerror(errno)))")
    }
}
