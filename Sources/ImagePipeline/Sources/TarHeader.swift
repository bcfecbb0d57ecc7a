import Files
import SystemPackage

/// A block of 512 bytes that begins a member of a tar.
struct TarHeader {
    /// The type flag: `0` a file, `1` and `2` links, `5` a folder, `L`, `K`, `x` and `g` extended headers, …
    let kind: Character
    /// Bytes that follow; nil where the field is no number.
    let size: Int?
    let name: FilePath
    /// Where a link leads.
    let link: FilePath
    /// Whether another block of holes follows an old sparse header.
    let continuesSparse: Bool

    /// nil where the checksum is not that of the block.
    init?(_ block: [UInt8]) {
        precondition(block.count == 512, "a header of \(block.count) bytes instead of 512")
        let sum = block.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
        guard Self.number(block[148..<156]) == sum else { return nil }
        kind = Character(Unicode.Scalar(block[156]))
        size = Self.number(block[124..<136])
        let isUstar = block[257..<262].elementsEqual("ustar".utf8)
        // GNU's own format has other fields where POSIX has the front of a long name.
        let isPosix = isUstar && block[262] == 0
        let name = FilePath(bytes: block[0..<100]), front = isPosix ? FilePath(bytes: block[345..<500]) : FilePath()
        self.name = front.pushing(name)
        link = FilePath(bytes: block[157..<257])
        continuesSparse = block[482] != 0
    }

    /// Speaks of the member that follows, or of all.
    var isExtended: Bool { ["L", "K", "x", "g", "D", "V", "N", "X"].contains(kind) }

    /// A file or a part of one, whose bytes follow.
    var hasContents: Bool { ["0", "7", "\0", "M"].contains(kind) }

    /// Octal digits, or GNU's big-endian binary when the first bit is set. At most 2^56 - 1.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        if field.first! & 0x80 != 0 {
            guard field.first! & 0x7F == 0, field.dropFirst().dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(7).reduce(0) { $0 << 8 | Int($1) }
        }
        let digits = field.filter { $0 != UInt8(ascii: " ") && $0 != 0 }
        guard digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
    }
}
