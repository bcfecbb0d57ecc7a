#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Reads the headers of tar archives (ustar, with GNU's and POSIX's long names).
enum TarReader {
    struct Member: Equatable {
        let name: String
        /// Of the member's bytes in the archive.
        let offset: Int
        let size: Int
    }

    /// The regular files of an archive, in order. A header that lies is an `IndexError`.
    static func members(of path: String) throws -> [Member] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IndexError("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        let length = Int(lseek(descriptor, 0, SEEK_END))
        func block(_ at: Int, _ count: Int = 512) throws -> [UInt8] {
            guard count <= 1 << 20, at + count <= length else {
                throw IndexError("\(path): the archive is cut short at byte \(at); copy or pack it again")
            }
            return try FileReading.bytes(of: path, offset: at, count: count)
        }
        var members: [Member] = [], longName: String?, at = 0
        while at + 512 <= length {
            let header = try block(at)
            if header.allSatisfy({ $0 == 0 }) { break }
            guard checksumIsRight(header), let size = number(header[124..<136]), size >= 0 else {
                throw IndexError("\(path): no tar header at byte \(at); is it a damaged or compressed archive?")
            }
            at += 512
            guard size <= length - at else {
                throw IndexError("\(path): a member of \(size) bytes at \(at) does not fit the archive of \(length)")
            }
            switch header[156] {
            case UInt8(ascii: "L"):
                longName = text(try block(at, size))
            case UInt8(ascii: "x"):
                longName = posixPath(try block(at, size)) ?? longName
            case UInt8(ascii: "0"), 0:
                members.append(Member(name: longName ?? name(header), offset: at, size: size))
                longName = nil
            default: longName = nil
            }
            at += (size + 511) / 512 * 512
        }
        return members
    }

    /// Octal digits, or GNU's big-endian binary when the first bit is set.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if field.first! & 0x80 != 0 {
            guard field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        return Int(text(Array(field)).filter { $0 != " " }, radix: 8)
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    private static func name(_ header: [UInt8]) -> String {
        let prefix = text(Array(header[345..<500])), name = text(Array(header[0..<100]))
        return prefix.isEmpty ? name : prefix + "/" + name
    }

    private static func checksumIsRight(_ header: [UInt8]) -> Bool {
        let sum = header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
        return number(header[148..<156]) == sum
    }

    /// The path record of a POSIX extended header: lines "length key=value\n".
    private static func posixPath(_ bytes: [UInt8]) -> String? {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line -> String? in
            guard let start = line.range(of: " path=") else { return nil }
            return String(line[start.upperBound...])
        }.last
    }
}

/// `index.tsv` beside packed shards: shard, offset, size, class and name of every picture.
enum TarIndex {
    static let fileName = "index.tsv"

    struct Line {
        let shard: String
        let offset: Int
        let size: Int
        let className: String?
        let name: String

        var text: String { "\(shard)\t\(offset)\t\(size)\t\(className ?? "")\t\(name)\n" }
    }

    static func read(_ folder: String) throws -> [Line] {
        let path = folder + "/" + fileName
        let text = String(decoding: try FileReading.bytes(of: path), as: UTF8.self)
        return try text.split(separator: "\n").enumerated().map { number, line in
            let parts = line.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false)
            guard parts.count == 5, let offset = Int(parts[1]), let size = Int(parts[2]), !parts[0].contains("/") else {
                throw IndexError(
                    "\(path), line \(number + 1) is damaged; delete it (the shards are then read) or pack again")
            }
            return Line(
                shard: String(parts[0]), offset: offset, size: size,
                className: parts[3].isEmpty ? nil : String(parts[3]),
                name: String(parts[4]))
        }
    }
}

extension StringProtocol {
    /// The first place of `other` in this text.
    fileprivate func range(of other: String) -> Range<Index>? { firstRange(of: other) }
}
