import Checkpointing
import Testing

struct CRC32CTests {
    /// The vectors of RFC 3720, appendix B.4, and the usual check value.
    @Test func knownValues() {
        #expect(CRC32C.of("123456789".utf8).text == "e3069283")
        #expect(CRC32C.of([UInt8](repeating: 0, count: 32)).value == 0x8A91_36AA)
        #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)).value == 0x62A8_AB43)
        #expect(CRC32C.of((0..<32).map { UInt8($0) }).value == 0x46DD_794E)
        #expect(CRC32C.of([]).text == "00000000")
    }

    @Test func piecesGiveTheSame() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for cut in [0, 1, 7, 8, 9, 500, 999] {
            var checksum = CRC32C()
            bytes[..<cut].withUnsafeBytes { checksum.add($0) }
            bytes[cut...].withUnsafeBytes { checksum.add($0) }
            #expect(checksum == CRC32C.of(bytes))
        }
    }

    /// Processors that have an instruction for it compute what the others do.
    @Test func theInstructionAndTheTablesAgree() {
        let bytes = (0..<4099).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ $0 >> 8) }
        for start in 0..<9 {
            for count in [0, 1, 7, 8, 9, 15, 16, 4090] {
                let part = bytes[start..<start + count]
                let tables = part.withUnsafeBytes { ~ChecksumTables.castagnoli.advance(~0, over: $0) }
                #expect(CRC32C.of(part).value == tables, "\(count) bytes from \(start)")
            }
        }
    }
}
