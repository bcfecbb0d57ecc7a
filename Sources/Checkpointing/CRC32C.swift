package import Files

/// The Castagnoli checksum (polynomial 0x1EDC6F41, reflected), as used by iSCSI, ext4 and TensorFlow's files.
///
/// Eight bytes per round over eight tables ("slicing by 8", Kounavis and Berry 2005).
package struct CRC32C: Sendable, Equatable {
    private var state: UInt32 = ~0

    package init() {}

    package var value: UInt32 { ~state }

    /// Eight lower-case hexadecimal digits.
    package var text: String {
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
        guard let base = bytes.baseAddress else { return }
        let table = Self.tables.base
        var crc = state
        var index = 0
        while index + 8 <= bytes.count {
            let low = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt32.self)) ^ crc
            let high = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self))
            crc =
                table[7 * 256 + Int(low & 0xFF)] ^ table[6 * 256 + Int(low >> 8 & 0xFF)]
                ^ table[5 * 256 + Int(low >> 16 & 0xFF)] ^ table[4 * 256 + Int(low >> 24)]
                ^ table[3 * 256 + Int(high & 0xFF)] ^ table[2 * 256 + Int(high >> 8 & 0xFF)]
                ^ table[1 * 256 + Int(high >> 16 & 0xFF)] ^ table[Int(high >> 24)]
            index += 8
        }
        while index < bytes.count {
            crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[index])) & 0xFF)]
            index += 1
        }
        state = crc
    }

    /// 8 × 256 words that are never freed.
    private struct Tables: @unchecked Sendable {
        let base: UnsafePointer<UInt32>

        init() {
            let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
            for byte in 0..<256 {
                var crc = UInt32(byte)
                for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
                table[byte] = crc
            }
            for index in 256..<8 * 256 {
                let previous = table[index - 256]
                table[index] = previous >> 8 ^ table[Int(previous & 0xFF)]
            }
            base = UnsafePointer(table)
        }
    }

    private static let tables = Tables()
}
