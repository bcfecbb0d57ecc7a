package import TensorCore

/// How the numbers of a stored tensor are encoded, by their names in safetensors. All are little-endian.
package enum StoredElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case int64 = "I64"
    case uint64 = "U64"
    case float64 = "F64"

    package var byteCount: Int {
        switch self {
        case .bool, .uint8, .int8: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .int64, .uint64, .float64: 8
        }
    }
}

/// A block of numbers with a name, as it is stored: what checkpoints are made of.
///
/// It refers to memory and does not copy it: a record made from a `Tensor` reads and writes that tensor.
package struct NamedTensor {
    package let name: String
    package let elementType: StoredElementType
    /// Dimensions, outermost first.
    package let shape: [Int]
    /// The raw numbers; valid while this record or the tensor lives.
    let bytes: UnsafeMutableRawBufferPointer
    private let owner: AnyObject

    /// The float32 numbers of `tensor`, sharing its memory.
    package init(name: String, tensor: Tensor) {
        self.init(
            name: name, elementType: .float32, shape: tensor.shape,
            bytes: UnsafeMutableRawBufferPointer(tensor.floats), owner: tensor)
    }

    /// One float32 number again and again.
    package init(name: String, shape: [Int], repeating number: Float) {
        let tensor = Tensor(shape)
        tensor.fill(number)
        self.init(name: name, tensor: tensor)
    }

    /// A vector of integers, for counters.
    package init(name: String, integers: [Int64]) {
        self.init(name: name, elementType: .int64, shape: [integers.count])
        integers.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }

    /// One integer without dimensions, as PyTorch stores `num_batches_tracked`.
    package init(name: String, scalar: Int64) {
        self.init(name: name, elementType: .int64, shape: [])
        withUnsafeBytes(of: scalar) { bytes.copyMemory(from: $0) }
    }

    /// Memory of its own, all zero.
    package init(name: String, elementType: StoredElementType, shape: [Int]) {
        let memory = OwnedMemory(byteCount: shape.reduce(elementType.byteCount, *))
        self.init(name: name, elementType: elementType, shape: shape, bytes: memory.bytes, owner: memory)
    }

    private init(
        name: String, elementType: StoredElementType, shape: [Int], bytes: UnsafeMutableRawBufferPointer,
        owner: AnyObject
    ) {
        self.name = name
        self.elementType = elementType
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
    }

    /// The same memory under another name.
    package func renamed(_ name: String) -> NamedTensor {
        NamedTensor(name: name, elementType: elementType, shape: shape, bytes: bytes, owner: owner)
    }

    /// The same memory as a block of other dimensions, of as many numbers.
    package func reshaped(_ shape: [Int]) -> NamedTensor {
        precondition(shape.reduce(1, *) == count, "'\(name)' \(self.shape) cannot be \(shape)")
        return NamedTensor(name: name, elementType: elementType, shape: shape, bytes: bytes, owner: owner)
    }

    package var byteCount: Int { bytes.count }
    package var count: Int { shape.reduce(1, *) }

    package func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try withExtendedLifetime(owner) { try body(UnsafeRawBufferPointer(bytes)) }
    }

    package func withMutableBytes<Value>(_ body: (UnsafeMutableRawBufferPointer) throws -> Value) rethrows -> Value {
        try withExtendedLifetime(owner) { try body(bytes) }
    }

    /// The same numbers in memory of their own, so that the original may change.
    func copied() -> NamedTensor {
        if let tensor = owner as? Tensor { return NamedTensor(name: name, tensor: tensor.copy()) }
        let copy = NamedTensor(name: name, elementType: elementType, shape: shape)
        copy.bytes.copyMemory(from: UnsafeRawBufferPointer(bytes))
        return copy
    }

    /// The numbers as float32; nil for integers.
    package var floats: [Float]? {
        withBytes { bytes in
            switch elementType {
            case .float32: Array(bytes.bindMemory(to: Float.self))
            case .float64: bytes.bindMemory(to: Double.self).map { Float($0) }
            case .bfloat16: bytes.bindMemory(to: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
            case .float16: bytes.bindMemory(to: UInt16.self).map { Self.float(half: $0) }
            default: nil
            }
        }
    }

    /// The numbers as 64-bit integers; nil for other types.
    package var integers: [Int64]? {
        withBytes { bytes in
            switch elementType {
            case .int64: Array(bytes.bindMemory(to: Int64.self))
            case .int32: bytes.bindMemory(to: Int32.self).map(Int64.init)
            case .uint32: bytes.bindMemory(to: UInt32.self).map(Int64.init)
            case .int16: bytes.bindMemory(to: Int16.self).map(Int64.init)
            case .uint16: bytes.bindMemory(to: UInt16.self).map(Int64.init)
            case .int8: bytes.bindMemory(to: Int8.self).map(Int64.init)
            case .uint8, .bool: bytes.map(Int64.init)
            default: nil
            }
        }
    }

    /// The numbers as a new tensor of the same shape; nil for integers.
    package var tensor: Tensor? { floats.map { count > 0 ? Tensor(shape, $0) : Tensor(shape) } }

    /// IEEE 754 binary16 to binary32, exactly; in integers, because Swift has no Float16 on every processor.
    static func float(half: UInt16) -> Float {
        let sign = UInt32(half & 0x8000) << 16
        let exponent = UInt32(half >> 10 & 0x1F)
        let fraction = UInt32(half & 0x3FF)
        switch exponent {
        case 0: return Float(sign: sign == 0 ? .plus : .minus, exponent: -24, significand: Float(fraction))
        case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}

/// Zeroed memory that lives as long as the records that point into it.
private final class OwnedMemory {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
}
