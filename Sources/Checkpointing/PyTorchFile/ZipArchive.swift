import Files

/// The records of a zip file that lie in it as they are, such as `torch.save` writes.
///
/// Format: PKWARE's APPNOTE.TXT 6.3: entries of a central directory at the end, with 64-bit extensions.
struct ZipArchive {
    /// Where each record's bytes lie in the file.
    let records: [String: Range<Int>]

    private static let largestDirectory = 64 << 20

    init(_ file: any ReadableFile) throws {
        let (directory, count) = try Self.directory(file)
        guard directory.count <= Self.largestDirectory, count <= directory.count / 46 else {
            throw PyTorchFailure("claims \(count) records in a directory of \(directory.count) bytes")
        }
        let bytes = ZipBytes(try file.bytes(directory))
        var records: [String: Range<Int>] = [:], at = 0
        for _ in 0..<count {
            let entry = try ZipEntry(bytes, at: at)
            at = entry.end
            guard records.updateValue(try entry.data(file), forKey: entry.name) == nil else {
                throw PyTorchFailure("has two records '\(shownText(entry.name))'")
            }
        }
        self.records = records
    }

    /// Where the central directory lies, and of how many entries it is.
    private static func directory(_ file: any ReadableFile) throws -> (Range<Int>, count: Int) {
        let start = max(0, file.size - 22 - 0xFFFF), tail = ZipBytes(try file.bytes(start..<file.size))
        guard
            let end = stride(from: tail.count - 22, through: 0, by: -1).first(where: { place in
                tail.starts(0x0605_4B50, at: place) && place + 22 + tail.number(place + 20, 2) == tail.count
            })
        else { throw PyTorchFailure("is a zip file without its end; it was cut short") }
        var (count, size, offset) = (tail.number(end + 10, 2), tail.number(end + 12, 4), tail.number(end + 16, 4))
        if end >= 20, tail.starts(0x0706_4B50, at: end - 20) {
            let place = tail.number(end - 12, 8)
            guard place >= 0, place <= file.size - 56 else { throw PyTorchFailure("is a zip file with a damaged end") }
            let wide = ZipBytes(try file.bytes(place..<place + 56))
            guard wide.starts(0x0606_4B50, at: 0) else { throw PyTorchFailure("is a zip file with a damaged end") }
            (count, size, offset) = (wide.number(32, 8), wide.number(40, 8), wide.number(48, 8))
        }
        guard count >= 0, offset >= 0, size >= 0, offset <= file.size, size <= file.size - offset else {
            throw PyTorchFailure("is a zip file whose directory lies outside of it")
        }
        return (offset..<offset + size, count)
    }
}

/// A line of the directory.
private struct ZipEntry {
    let name: String
    /// Where the next begins.
    let end: Int
    private let size, header: Int

    init(_ bytes: ZipBytes, at place: Int) throws {
        guard bytes.count - place >= 46, bytes.starts(0x0201_4B50, at: place) else {
            throw PyTorchFailure("is a zip file with a damaged directory")
        }
        let lengths = [28, 30, 32].map { bytes.number(place + $0, 2) }
        let nameStart = place + 46, extraStart = nameStart + lengths[0]
        end = extraStart + lengths[1] + lengths[2]
        guard end <= bytes.count else { throw PyTorchFailure("is a zip file with a damaged directory") }
        name = bytes.text(nameStart..<extraStart)
        guard bytes.number(place + 8, 2) & 1 == 0, bytes.number(place + 10, 2) == 0 else {
            throw PyTorchFailure(
                "has the compressed or encrypted record '\(shownText(name))', as torch.save writes none: is it another zip file?"
            )
        }
        // What does not fit 32 bits stands in an extra field, in this order.
        var wide = Self.wide(bytes, extraStart..<extraStart + lengths[1])
        func value(_ offset: Int) throws -> Int {
            let narrow = bytes.number(place + offset, 4)
            guard narrow == 0xFFFF_FFFF else { return narrow }
            guard let value = wide.popFirst(), value >= 0 else {
                throw PyTorchFailure("is a zip file with a damaged directory")
            }
            return value
        }
        size = try value(24)
        let stored = try value(20)
        header = try value(42)
        guard stored == size else { throw PyTorchFailure("has the record '\(shownText(name))' in two sizes") }
    }

    private static func wide(_ bytes: ZipBytes, _ range: Range<Int>) -> ArraySlice<Int> {
        var at = range.lowerBound
        while at + 4 <= range.upperBound {
            let length = bytes.number(at + 2, 2)
            guard at + 4 + length <= range.upperBound else { break }
            if bytes.number(at, 2) == 1 { return (0..<length / 8).map { bytes.number(at + 4 + 8 * $0, 8) }[...] }
            at += 4 + length
        }
        return []
    }

    /// Where its bytes lie: behind a header of their own.
    func data(_ file: any ReadableFile) throws -> Range<Int> {
        let outside = PyTorchFailure("has the record '\(shownText(name))' outside of the file; it was cut short")
        guard header <= file.size - 30 else { throw outside }
        let bytes = ZipBytes(try file.bytes(header..<header + 30))
        guard bytes.starts(0x0403_4B50, at: 0) else { throw outside }
        let start = header + 30 + bytes.number(26, 2) + bytes.number(28, 2)
        guard start <= file.size, size <= file.size - start else { throw outside }
        return start..<start + size
    }
}

/// Little-endian numbers at places.
private struct ZipBytes {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }
    func starts(_ signature: Int, at place: Int) -> Bool { number(place, 4) == signature }
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// Of 64 bits as they are, so that what is too large is negative.
    func number(_ place: Int, _ count: Int) -> Int {
        (0..<count).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
}
