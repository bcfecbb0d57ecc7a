import Glibc
import Synchronization

/// A dense, row-major block of numbers: feature maps are NHWC, matrices are rows × columns.
///
/// Elements are float32, or bfloat16 in maps of a bfloat16 training; what names no element type works on float32.
/// A tensor is a reference: a gradient is a view into its bucket, and optimizer, momentum encoder, reducer and
/// checkpoint see the same memory. Memory is shared only through `view` and `reshaped`; an operation never changes its
/// inputs unless its name says so.
public final class Tensor {
    /// Dimensions, outermost first.
    public let shape: [Int]
    /// Number of elements.
    public let count: Int
    public let elementType: ElementType
    private let storage: Storage
    /// In elements.
    private let offset: Int

    /// The block of pooled memory behind one or more tensors.
    private final class Storage {
        let base: UnsafeMutableRawPointer
        let byteCount: Int
        let version = Atomic(0)

        init(byteCount: Int) {
            self.byteCount = byteCount
            base = MemoryPool.shared.allocate(byteCount)
        }

        deinit { MemoryPool.shared.release(base, byteCount) }
    }

    private init(shape: [Int], elementType: ElementType, storage: Storage, offset: Int) {
        self.shape = shape
        self.count = shape.reduce(1, *)
        self.elementType = elementType
        self.storage = storage
        self.offset = offset
    }

    /// A tensor whose contents are undefined until written.
    public convenience init(_ shape: [Int], _ elementType: ElementType = .float32) {
        precondition(shape.allSatisfy { $0 >= 0 }, "negative dimension in shape \(shape)")
        let storage = Storage(byteCount: shape.reduce(1, *) * elementType.byteCount)
        self.init(shape: shape, elementType: elementType, storage: storage, offset: 0)
    }

    public convenience init(_ shape: [Int], _ values: [Float]) {
        self.init(shape)
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: count) }
    }

    public static func zeros(_ shape: [Int], _ elementType: ElementType = .float32) -> Tensor {
        let tensor = Tensor(shape, elementType)
        // All bits zero is zero in every element type.
        memset(tensor.bytes, 0, tensor.byteCount)
        return tensor
    }

    /// Which memory this is: equal for tensors that begin at the same element of it.
    struct Identity: Hashable {
        let storage: ObjectIdentifier
        let offset: Int
    }

    var identity: Identity { Identity(storage: ObjectIdentifier(storage), offset: offset) }

    /// Grows with every change of this memory by operations that change weights: what was made of it before is void.
    var version: Int { storage.version.load(ordering: .relaxed) }

    /// To be called after writing to the elements of weights with which convolutions may have been computed before.
    public func markChanged() { storage.version.add(1, ordering: .relaxed) }

    public var byteCount: Int { count * elementType.byteCount }

    /// The first byte; valid while the tensor lives. For kernels only.
    public var bytes: UnsafeMutableRawPointer { storage.base + offset * elementType.byteCount }

    /// The first element of a float32 tensor; valid while the tensor lives. For kernels only.
    public var pointer: UnsafeMutablePointer<Float> { elements(Float.self) }

    /// The first element, whose type must be `Element`; valid while the tensor lives. For kernels only.
    func elements<Element: KernelElement>(_: Element.Type) -> UnsafeMutablePointer<Element> {
        precondition(
            elementType == Element.elementType, "\(Element.elementType) wanted of a \(elementType) tensor \(shape)")
        return bytes.assumingMemoryBound(to: Element.self)
    }

    public var floats: UnsafeMutableBufferPointer<Float> { .init(start: pointer, count: count) }

    /// A copy of the elements, for tests and small results.
    public var array: [Float] { Array(floats) }

    /// The same memory under another shape.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "cannot view \(self.shape) as \(shape)")
        return Tensor(shape: shape, elementType: elementType, storage: storage, offset: offset)
    }

    /// The same memory as a matrix with `columns` columns, for example pixels × channels.
    public func matrix(columns: Int) -> Tensor { reshaped([count / columns, columns]) }

    /// A tensor of `shape` over this one's memory, starting `offset` elements in.
    public func view(offset: Int, shape: [Int]) -> Tensor {
        precondition(
            offset >= 0 && offset + shape.reduce(1, *) <= count,
            "a view of \(shape) at \(offset) leaves the \(count) elements of \(self.shape)")
        return Tensor(shape: shape, elementType: elementType, storage: storage, offset: self.offset + offset)
    }

    /// Rows `range` of the outermost dimension, sharing memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        let row = count / max(shape[0], 1)
        return view(offset: range.lowerBound * row, shape: [range.count] + shape.dropFirst())
    }

    public func fill(_ value: Float) {
        floats.update(repeating: value)
        markChanged()
    }

    public func copy(from other: Tensor) {
        precondition(
            other.count == count && other.elementType == elementType,
            "cannot copy \(other.elementType) \(other.shape) into \(elementType) \(shape)")
        memcpy(bytes, other.bytes, byteCount)
        markChanged()
    }

    public func copy() -> Tensor {
        let tensor = Tensor(shape, elementType)
        MemoryTraffic.count(read: byteCount, written: byteCount)
        tensor.copy(from: self)
        return tensor
    }
}

extension Tensor: CustomStringConvertible {
    public var description: String {
        let head = cast(to: .float32).floats.prefix(6).map { "\($0)" }.joined(separator: ", ")
        return "Tensor\(shape)[\(head)\(count > 6 ? ", …" : "")]"
    }
}
