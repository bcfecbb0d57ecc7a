/// A tensor that a checkpoint shall hold: every rank knows its name and shape, and the one that saves it copies it.
package struct SavedTensor {
    package let name: String
    package let elementType: StoredElementType
    /// Dimensions, outermost first.
    package let shape: [Int]
    /// The tensor in memory of its own, as it is at the time of the call.
    let copy: () -> NamedTensor

    package init(name: String, elementType: StoredElementType, shape: [Int], copy: @escaping () -> NamedTensor) {
        (self.name, self.elementType, self.shape, self.copy) = (name, elementType, shape, copy)
    }

    /// One that lies in memory in its files' layout.
    package init(_ tensor: NamedTensor) {
        self.init(name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, copy: tensor.copied)
    }

    var byteCount: Int { shape.reduce(elementType.byteCount, *) }
}
