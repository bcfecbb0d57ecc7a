import Files
import TensorCore

extension ImageIndex {
    /// Tells lists of pictures apart by their names below their roots and, in tars, their sizes; the order does not
    /// count, nor where the roots lie. Of 52 bits, which any reader of JSON keeps.
    package var fingerprint: Int {
        let sum: UInt64 = entries.reduce(0) { sum, entry in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in entry.name.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            // Mixed once more, since sums of plain hashes of similar names collide.
            var mixed = KeyedGenerator(hash, UInt64(bitPattern: entry.size))
            return sum &+ mixed.next()
        }
        return Int(sum >> 12)
    }
}
