import TensorCore

/// A 64-bit hash of bits, for comparing replicas. Each step is a bijection of the state, so a single changed word
/// always changes the hash; it is not meant against forgery.
struct BitHash {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    mutating func add(_ word: UInt64) {
        value = (value ^ word) &* 0xD6E8_FEB8_6659_FD93
        value ^= value >> 32
    }

    mutating func add(text: String) {
        add(UInt64(text.utf8.count))
        for byte in text.utf8 { add(UInt64(byte)) }
    }

    /// Adds the tensor's elements in four interleaved lanes, at about the speed of memory.
    mutating func add(_ tensor: Tensor) {
        add(UInt64(tensor.count))
        var lanes = (BitHash(), BitHash(), BitHash(), BitHash())
        let words = UnsafeRawPointer(tensor.pointer)
        let quads = tensor.count / 8
        for index in 0..<quads {
            let base = words + index * 32
            lanes.0.add(base.loadUnaligned(as: UInt64.self))
            lanes.1.add(base.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            lanes.2.add(base.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
            lanes.3.add(base.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        }
        for index in quads * 8..<tensor.count { add(UInt64(tensor.floats[index].bitPattern)) }
        add(lanes.0.value)
        add(lanes.1.value)
        add(lanes.2.value)
        add(lanes.3.value)
    }
}
