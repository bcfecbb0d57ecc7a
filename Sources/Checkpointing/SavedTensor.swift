/// A tensor that can be written to a file.
protocol StorableTensor {
    var name: String { get }
    var elementType: StoredElementType { get }
    /// Dimensions, outermost first.
    var shape: [Int] { get }
    var byteCount: Int { get }
    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value
}

extension NamedTensor: StorableTensor {}

/// A tensor that a checkpoint shall hold: every rank knows its name and shape, and those that save it read it.
package struct SavedTensor: StorableTensor {
    package let name: String
    package let elementType: StoredElementType
    /// Dimensions, outermost first.
    package let shape: [Int]
    /// The tensor as it is at the time of the call.
    private let read: () -> NamedTensor
    /// Whether what is read is in memory of its own.
    private let isCopied: Bool

    /// - Parameter isCopied: whether what is read does not change with the original.
    package init(
        name: String, elementType: StoredElementType, shape: [Int], isCopied: Bool,
        read: @escaping () -> NamedTensor
    ) {
        (self.name, self.elementType, self.shape) = (name, elementType, shape)
        (self.isCopied, self.read) = (isCopied, read)
    }

    /// One that lies in memory in its files' layout.
    package init(_ tensor: NamedTensor) {
        self.init(
            name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, isCopied: false, read: { tensor })
    }

    var byteCount: Int { shape.reduce(elementType.byteCount, *) }

    /// In memory of its own.
    func copy() -> NamedTensor { isCopied ? read() : read().copied() }

    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try read().withBytes(body)
    }
}
