import Files

/// Writes records into a zip file as they are, each beginning at a multiple of 64 bytes, as PyTorch wants them.
///
/// Format: PKWARE's APPNOTE.TXT 6.3, without 64-bit extensions: for files below 4 GiB. All times are 1980-01-01.
struct ZipWriter {
    private let file: any WritableFile
    private var directory: [UInt8] = []
    private var count = 0

    private static let alignment = 64
    private static let localHeader = 30

    init(_ file: any WritableFile) { self.file = file }

    mutating func add(_ name: String, _ bytes: UnsafeRawBufferPointer) throws {
        guard file.size + bytes.count < Int(UInt32.max) - 1 << 20, count < Int(UInt16.max) else {
            throw FileError(
                path: file.path, reason: "would have more than 4 GiB or 65,535 records: use another format")
        }
        let start = file.size, checksum = ~ChecksumTables.ethernet.advance(~0, over: bytes)
        // A field of its own with the mark that PyTorch gives it, so long that the numbers are aligned.
        let unpadded = start + Self.localHeader + name.utf8.count + 4
        let padding = (Self.alignment - unpadded % Self.alignment) % Self.alignment
        let extra = Self.number(0x4246, 2) + Self.number(padding, 2) + [UInt8](repeating: 0x5A, count: padding)
        // Version 2.0, names in UTF-8, stored as they are; time, date, checksum, both sizes.
        let facts =
            Self.number(20, 2) + Self.number(0x0800, 2) + Self.number(0, 2) + Self.number(0, 2)
            + Self.number(0x0021, 2) + Self.number(Int(checksum), 4) + Self.number(bytes.count, 4)
            + Self.number(bytes.count, 4) + Self.number(name.utf8.count, 2)
        try file.append(Self.number(0x0403_4B50, 4) + facts + Self.number(extra.count, 2) + Array(name.utf8) + extra)
        try file.append(bytes)
        // No extra field, no comment, first disk, no attributes.
        directory +=
            Self.number(0x0201_4B50, 4) + Self.number(20, 2) + facts + [UInt8](repeating: 0, count: 12)
            + Self.number(start, 4) + Array(name.utf8)
        count += 1
    }

    /// Writes the directory and the file's end.
    func finish() throws {
        let start = file.size
        try file.append(directory)
        try file.append(
            Self.number(0x0605_4B50, 4) + [UInt8](repeating: 0, count: 4) + Self.number(count, 2)
                + Self.number(count, 2) + Self.number(directory.count, 4) + Self.number(start, 4) + Self.number(0, 2))
    }

    /// Little-endian.
    private static func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
