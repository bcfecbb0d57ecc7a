/// Reflected checksums of 32 bits, eight bytes per round over eight tables ("slicing by 8", Kounavis and Berry 2005).
package struct ChecksumTables: @unchecked Sendable {
    // @unchecked: the words are never written again.
    /// 8 × 256 words that are never freed.
    private let base: UnsafePointer<UInt32>

    /// Of iSCSI, ext4 and TensorFlow's files.
    package static let castagnoli = ChecksumTables(reflectedPolynomial: 0x82F6_3B78)
    /// Of Ethernet, PNG and zip files.
    static let ethernet = ChecksumTables(reflectedPolynomial: 0xEDB8_8320)

    private init(reflectedPolynomial polynomial: UInt32) {
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ polynomial }
            table[byte] = crc
        }
        for index in 256..<8 * 256 {
            let previous = table[index - 256]
            table[index] = previous >> 8 ^ table[Int(previous & 0xFF)]
        }
        base = UnsafePointer(table)
    }

    /// The state after `bytes`; it begins with all bits set, and a checksum is its complement.
    package func advance(_ state: UInt32, over bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard let start = bytes.baseAddress else { return state }
        let table = base
        var crc = state
        var index = 0
        // SAFETY: eight bytes are read where eight are left, and every place in the table is below 8 × 256.
        while index + 8 <= bytes.count {
            let low = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: index, as: UInt32.self)) ^ crc
            let high = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self))
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
        return crc
    }
}
