import CVector
package import Files

/// The Castagnoli checksum (polynomial 0x1EDC6F41, reflected), as used by iSCSI, ext4 and TensorFlow's files.
package struct CRC32C: Sendable, Equatable {
    private var state: UInt32 = ~0

    package init() {}

    package var value: UInt32 { ~state }

    /// Eight lower-case hexadecimal digits.
    package var text: String { Self.text(of: value) }

    static func text(of value: UInt32) -> String { String(value, radix: 16).zeroPadded(to: 8) }

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
        #if arch(x86_64)
            state = Self.advance(state, over: bytes)
        #else
            state = ChecksumTables.castagnoli.advance(state, over: bytes)
        #endif
    }

    #if arch(x86_64)
        /// Eight bytes in an instruction, which every processor has that this program is built for.
        private static func advance(_ state: UInt32, over bytes: UnsafeRawBufferPointer) -> UInt32 {
            guard let start = bytes.baseAddress else { return state }
            var crc = state, index = 0
            while index + 8 <= bytes.count {
                crc = cvector_crc32c(crc, start.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                index += 8
            }
            return ChecksumTables.castagnoli.advance(crc, over: UnsafeRawBufferPointer(rebasing: bytes[index...]))
        }
    #endif
}
