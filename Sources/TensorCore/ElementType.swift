import CKernels
import CVector

/// What a tensor's elements are stored as. Arithmetic is float32 in both.
public enum ElementType: String, Sendable, CaseIterable {
    case float32
    /// The upper half of a float32: its range, with 8 bits of precision.
    case bfloat16

    public var byteCount: Int { self == .float32 ? 4 : 2 }
}

/// The upper half of a float32.
public struct BFloat16: BitwiseCopyable, Sendable, Equatable {
    public let bits: UInt16

    public init(bits: UInt16) { self.bits = bits }

    /// Rounds to the nearest, ties to even; NaN stays NaN.
    @inline(__always)
    public init(_ value: Float) {
        let bits = value.bitPattern
        let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
        self.bits = value.isNaN ? 0x7FC0 : UInt16(truncatingIfNeeded: rounded)
    }

    @inline(__always)
    public var float: Float { Float(bitPattern: UInt32(bits) << 16) }
}

/// An element that kernels load as float32 and store from it, eight at a time or singly.
protocol KernelElement: BitwiseCopyable {
    static var elementType: ElementType { get }
    /// The kernels of the widest vectors that the processor has for this type, if any.
    static var vectors: UnsafePointer<kernels>? { get }
    /// Their twins in plain C.
    static var portable: UnsafePointer<kernels> { get }
    /// How many neighbours along the depth a word of a panel holds.
    static var depthPerWord: Int { get }
    static func load8(_ pointer: UnsafePointer<Self>) -> SIMD8<Float>
    static func store8(_ values: SIMD8<Float>, _ pointer: UnsafeMutablePointer<Self>)
    init(rounding value: Float)
    var float: Float { get }
}

extension KernelElement {
    /// `lanes` ≤ 8 elements; the other lanes are 0.
    @inline(__always)
    static func load(_ pointer: UnsafePointer<Self>, lanes: Int) -> SIMD8<Float> {
        if lanes == 8 { return load8(pointer) }
        var values = SIMD8<Float>()
        for lane in 0..<lanes { values[lane] = pointer[lane].float }
        return values
    }

    @inline(__always)
    static func store(_ values: SIMD8<Float>, _ pointer: UnsafeMutablePointer<Self>, lanes: Int) {
        if lanes == 8 { return store8(values, pointer) }
        for lane in 0..<lanes { pointer[lane] = Self(rounding: values[lane]) }
    }
}

/// Calls `body(first, lanes)` for each eight of `count` elements, and for what is left over.
@inline(__always)
func forEachEight(_ count: Int, _ body: (_ first: Int, _ lanes: Int) -> Void) {
    let whole = count / 8 * 8
    var first = 0
    while first < whole {
        body(first, 8)
        first += 8
    }
    if whole < count { body(whole, count - whole) }
}

extension Float: KernelElement {
    static var elementType: ElementType { .float32 }

    @inline(__always)
    static func load8(_ pointer: UnsafePointer<Float>) -> SIMD8<Float> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
    }

    @inline(__always)
    static func store8(_ values: SIMD8<Float>, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: values, as: SIMD8<Float>.self)
    }

    @inline(__always) init(rounding value: Float) { self = value }
    @inline(__always) var float: Float { self }
}

extension BFloat16: KernelElement {
    static var elementType: ElementType { .bfloat16 }

    @inline(__always)
    static func load8(_ pointer: UnsafePointer<BFloat16>) -> SIMD8<Float> {
        cvector_load_bfloat16(pointer)
    }

    @inline(__always)
    static func store8(_ values: SIMD8<Float>, _ pointer: UnsafeMutablePointer<BFloat16>) {
        cvector_store_bfloat16(values, pointer)
    }

    @inline(__always) init(rounding value: Float) { self.init(value) }
}

extension Tensor {
    /// The same numbers as `type`: self where they are of it already, else a rounded or widened copy.
    public func cast(to type: ElementType) -> Tensor {
        guard type != elementType else { return self }
        let result = Tensor(shape, type)
        cast(into: result)
        return result
    }

    /// Writes the same numbers into `other`, of any element type, on the calling thread.
    public func cast(into other: Tensor) {
        precondition(count == other.count, "cannot cast \(shape) into \(other.shape)")
        switch (elementType, other.elementType) {
        case (.float32, .bfloat16): convert(elements(Float.self), other.elements(BFloat16.self), count)
        case (.bfloat16, .float32): convert(elements(BFloat16.self), other.elements(Float.self), count)
        default: other.copy(from: self)
        }
    }
}

/// On the calling thread.
private func convert<From: KernelElement, To: KernelElement>(
    _ source: UnsafePointer<From>, _ target: UnsafeMutablePointer<To>, _ count: Int
) {
    forEachEight(count) { i, lanes in To.store(From.load(source + i, lanes: lanes), target + i, lanes: lanes) }
}
