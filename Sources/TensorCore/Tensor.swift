/// A dense, row-major block of float32 numbers: feature maps are NHWC, matrices are rows × columns.
///
/// A tensor is a reference: a gradient is a view into its bucket, and optimizer, momentum encoder, reducer and
/// checkpoint see the same memory. Memory is shared only through `view` and `reshaped`; an operation never changes its
/// inputs unless its name says so.
public final class Tensor {
    /// Dimensions, outermost first.
    public let shape: [Int]
    /// Number of elements.
    public let count: Int
    private let storage: Storage
    private let offset: Int

    /// The block of pooled memory behind one or more tensors.
    private final class Storage {
        let base: UnsafeMutablePointer<Float>
        let byteCount: Int

        init(count: Int) {
            byteCount = count * MemoryLayout<Float>.stride
            base = MemoryPool.shared.allocate(byteCount).bindMemory(to: Float.self, capacity: count)
        }

        deinit { MemoryPool.shared.release(base, byteCount) }
    }

    private init(shape: [Int], storage: Storage, offset: Int) {
        self.shape = shape
        self.count = shape.reduce(1, *)
        self.storage = storage
        self.offset = offset
    }

    /// A tensor whose contents are undefined until written.
    public convenience init(_ shape: [Int]) {
        precondition(shape.allSatisfy { $0 >= 0 }, "negative dimension in shape \(shape)")
        self.init(shape: shape, storage: Storage(count: shape.reduce(1, *)), offset: 0)
    }

    public convenience init(_ shape: [Int], _ values: [Float]) {
        self.init(shape)
        precondition(values.count == count, "\(values.count) values for shape \(shape)")
        values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: count) }
    }

    public static func zeros(_ shape: [Int]) -> Tensor {
        let tensor = Tensor(shape)
        tensor.fill(0)
        return tensor
    }

    /// The first element; valid while the tensor lives. For kernels only.
    public var pointer: UnsafeMutablePointer<Float> { storage.base + offset }

    public var floats: UnsafeMutableBufferPointer<Float> { .init(start: pointer, count: count) }

    /// A copy of the elements, for tests and small results.
    public var array: [Float] { Array(floats) }

    /// The same memory under another shape.
    public func reshaped(_ shape: [Int]) -> Tensor {
        precondition(shape.reduce(1, *) == count, "cannot view \(self.shape) as \(shape)")
        return Tensor(shape: shape, storage: storage, offset: offset)
    }

    /// The same memory as a matrix with `columns` columns, for example pixels × channels.
    public func matrix(columns: Int) -> Tensor { reshaped([count / columns, columns]) }

    /// A tensor of `shape` over this one's memory, starting `offset` elements in.
    public func view(offset: Int, shape: [Int]) -> Tensor {
        precondition(
            offset >= 0 && offset + shape.reduce(1, *) <= count,
            "a view of \(shape) at \(offset) leaves the \(count) elements of \(self.shape)")
        return Tensor(shape: shape, storage: storage, offset: self.offset + offset)
    }

    /// Rows `range` of the outermost dimension, sharing memory.
    public func rows(_ range: Range<Int>) -> Tensor {
        let row = count / max(shape[0], 1)
        return view(offset: range.lowerBound * row, shape: [range.count] + shape.dropFirst())
    }

    public func fill(_ value: Float) { floats.update(repeating: value) }

    public func copy(from other: Tensor) {
        precondition(other.count == count, "cannot copy \(other.shape) into \(shape)")
        pointer.update(from: other.pointer, count: count)
    }

    public func copy() -> Tensor {
        let tensor = Tensor(shape)
        tensor.copy(from: self)
        return tensor
    }
}

extension Tensor: CustomStringConvertible {
    public var description: String {
        let head = floats.prefix(6).map { "\($0)" }.joined(separator: ", ")
        return "Tensor\(shape)[\(head)\(count > 6 ? ", …" : "")]"
    }
}
