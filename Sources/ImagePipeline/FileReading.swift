#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Files and folders by system calls, whose failures become errors that name the path.
enum FileReading {
    /// All bytes of a file, or `count` of them from `offset`.
    static func bytes(of path: String, offset: Int = 0, count: Int? = nil) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot be opened") }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw failure("cannot be examined") }
        let size = Int(information.st_size)
        let wanted = count ?? size
        guard offset + wanted <= size else {
            throw ImageError("truncated: \(wanted) bytes from \(offset) are wanted, but the file has \(size)")
        }
        return try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, done in
            done = 0
            while done < wanted {
                let got = pread(descriptor, buffer.baseAddress! + done, wanted - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else {
                    throw got == 0 ? ImageError("truncated while it was read") : failure("cannot be read")
                }
                done += got
            }
        }
    }

    static func size(of path: String) throws -> Int {
        var information = stat()
        guard stat(path, &information) == 0 else {
            throw IndexError(
                "\(path): \(String(cString: strerror(errno))) here, though rank zero listed it: is the same data under the "
                    + "same path on every host?")
        }
        return Int(information.st_size)
    }

    /// The names in a folder, in no order, without "." and "..".
    static func names(in path: String) throws -> [String] {
        guard let folder = opendir(path) else {
            throw IndexError(
                "\(path): \(String(cString: strerror(errno))); check the path and the rights of the folder")
        }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Whether the path is a folder, links followed; a link to nowhere is none.
    static func isFolder(_ path: String) throws -> Bool {
        var information = stat()
        guard stat(path, &information) == 0 else { return false }
        return information.st_mode & S_IFMT == S_IFDIR
    }

    private static func failure(_ what: String) -> ImageError {
        ImageError("\(what): \(String(cString: strerror(errno)))")
    }
}
