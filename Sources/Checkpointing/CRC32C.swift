package import Files

/// The Castagnoli checksum (polynomial 0x1EDC6F41, reflected), as used by iSCSI, ext4 and TensorFlow's files.
package struct CRC32C: Sendable, Equatable {
    private var state: UInt32 = ~0

    package init() {}

    package var value: UInt32 { ~state }

    /// Eight lower-case hexadecimal digits.
    package var text: String { Self.text(of: value) }

    static func text(of value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    package static func of(_ bytes: some Sequence<UInt8>) -> CRC32C {
        var checksum = CRC32C()
        let all = Array(bytes)
        all.withUnsafeBytes { checksum.add($0) }
        return checksum
    }

    /// Of a whole file, read in pieces.
    package init(of file: any ReadableFile) throws {
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(max(file.size, 1), 1 << 22), alignment: 64)
        defer { piece.deallocate() }
        for start in stride(from: 0, to: file.size, by: piece.count) {
            let part = UnsafeMutableRawBufferPointer(rebasing: piece.prefix(file.size - start))
            try file.read(into: part, at: start)
            add(UnsafeRawBufferPointer(part))
        }
    }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        state = ChecksumTables.castagnoli.advance(state, over: bytes)
    }
}
