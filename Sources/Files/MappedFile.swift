import Glibc
package import SystemPackage

/// A file that is written and read in place through memory that is the file's: where files lie in memory, a byte costs one
/// copy, and a file that is written again no new pages.
package final class MappedFile: RewritableFile {
    package let path: FilePath
    package private(set) var size = 0
    private let descriptor: Int32

    /// Mapped at once: a process that looks at a whole file would seem to take as much memory again.
    private static let windowBytes = 4 << 20
    private static let pageBytes = sysconf(Int32(_SC_PAGESIZE))

    /// Opens a regular file of so many bytes, and makes it where it is not there; links are not followed.
    package init(path: FilePath, byteCount: Int) throws {
        self.path = path
        descriptor = path.withPlatformString {
            open($0, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o666)
        }
        guard descriptor >= 0 else { throw FileError(path: path, doing: "open the file for writing") }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, doing: "look at it") }
        let kind = FileKind(mode: status.st_mode)
        guard kind == .regular else {
            throw FileError(path: path, reason: "is \(kind.words), not a file that can be written")
        }
        // Whoever wrote it may have left holes.
        try reserve(byteCount)
        if Int(status.st_size) > byteCount { try truncate(to: byteCount) }
        size = byteCount
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    package func resize(to byteCount: Int) throws {
        if byteCount > size { try reserve(byteCount) }
        if byteCount < size { try truncate(to: byteCount) }
        size = byteCount
    }

    /// Gives all bytes their place: one that has none when it is written ends the program (SIGBUS).
    private func reserve(_ byteCount: Int) throws {
        guard byteCount > 0 else { return }
        var code = EINTR
        while code == EINTR { code = posix_fallocate(descriptor, 0, byteCount) }
        guard code == 0 else { throw FileError(path: path, doing: "make room for \(byteCount) bytes", code: code) }
    }

    private func truncate(to byteCount: Int) throws {
        guard ftruncate(descriptor, byteCount) == 0 else { throw FileError(path: path, doing: "cut the file") }
    }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
        try forEachWindow(offset..<offset + bytes.count, PROT_READ | PROT_WRITE) { window, place in
            window.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + window.count]))
        }
    }

    package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws {
        try forEachWindow(offset..<offset + target.count, PROT_READ) { window, place in
            UnsafeMutableRawBufferPointer(rebasing: target[place..<place + window.count])
                .copyMemory(from: UnsafeRawBufferPointer(window))
        }
    }

    /// Hands out a range of the file part by part, each with its place in the range.
    private func forEachWindow(
        _ range: Range<Int>, _ protection: Int32, _ body: (UnsafeMutableRawBufferPointer, Int) -> Void
    ) throws {
        precondition(range.lowerBound >= 0 && range.upperBound <= size, "\(range) of \(size) bytes of \(path.shown)")
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.windowBytes) {
            let end = min(start + Self.windowBytes, range.upperBound), first = start / Self.pageBytes * Self.pageBytes
            let memory = mmap(nil, end - first, protection, MAP_SHARED | MAP_POPULATE, descriptor, first)
            guard let memory, memory != MAP_FAILED else { throw FileError(path: path, doing: "map it into memory") }
            defer { munmap(memory, end - first) }
            // SAFETY: the mapping has the bytes from `first` to `end`, which all have their place in the file.
            let window = UnsafeMutableRawBufferPointer(start: memory + (start - first), count: end - start)
            body(window, start - range.lowerBound)
        }
    }
}
