package import TensorCore

/// A value on its way through a model, and the gradient that flows back to it.
///
/// The value is never written to again once it was read: any number of operations may read it.
package final class Variable {
    private let content: LazyValue
    /// Whether a gradient is wanted: false for images (unless it is asked for), and for what is computed without a tape
    /// or from nothing that wants one.
    package let needsGradient: Bool
    /// Of the value's element type.
    package private(set) var gradient: Tensor?
    /// Recorded operations that read it and have not run backwards.
    var readers = 0
    /// What the operation that gave the value wants to be summed over its gradient by whoever completes that.
    var gradientMoments: GradientMoments?

    package convenience init(_ value: Tensor, needsGradient: Bool = false) {
        self.init(LazyValue(value), needsGradient: needsGradient)
    }

    init(_ content: LazyValue, needsGradient: Bool = false) {
        self.content = content
        self.needsGradient = needsGradient
    }

    package var value: Tensor { content.written() }
    /// Of the value, which it does not read.
    package var shape: [Int] { content.shape }
    /// Of the value, which it does not read.
    package var elementType: ElementType { content.elementType }

    /// The value for a reader that makes what has not been written, before anybody else reads it.
    func readMap() -> ReadMap { content.readMap() }

    /// What makes the value, where it is kept nowhere.
    var passingMaker: MadeMap? { content.passingMaker }

    /// Adds a contribution; the variable takes over `tensor`, which nobody else may use afterwards.
    package func receive(_ tensor: Tensor) {
        guard needsGradient else { return }
        precondition(
            tensor.count == shape.reduce(1, *) && tensor.elementType == elementType,
            "gradient \(tensor.elementType) \(tensor.shape) for value \(elementType) \(shape)")
        if let gradient {
            gradient.addInPlace(tensor)
        } else {
            gradient = tensor.reshaped(shape)
        }
    }

    /// Lets `contribution` write to the gradient, or add to it where there is something already.
    func accumulate(_ contribution: (_ gradient: Tensor, _ accumulate: Bool) -> Void) {
        guard needsGradient else { return }
        if let gradient {
            contribution(gradient, true)
        } else {
            let fresh = Tensor(shape, elementType)
            contribution(fresh, false)
            gradient = fresh
        }
    }

    package func takeGradient() -> Tensor? {
        defer { gradient = nil }
        return gradient
    }
}

/// A value that may be written when it is first read: all at once, or image by image by a convolution.
final class LazyValue {
    let shape: [Int]
    let elementType: ElementType
    private var memory: Tensor?
    private var maker: MadeMap?

    init(_ memory: Tensor, maker: MadeMap? = nil) {
        (shape, elementType) = (memory.shape, memory.elementType)
        (self.memory, self.maker) = (memory, maker)
    }

    /// A value that passes by: readers that can make it themselves do, each anew, and it is written for others alone.
    init(_ shape: [Int], _ elementType: ElementType, passing maker: MadeMap) {
        (self.shape, self.elementType, self.maker) = (shape, elementType, maker)
    }

    func written() -> Tensor {
        let tensor = memory ?? Tensor(shape, elementType)
        if let passingMaker { MemoryTraffic.count(read: passingMaker.bytesRead, written: tensor.byteCount) }
        maker?.write(into: tensor)
        (memory, maker) = (tensor, nil)
        return tensor
    }

    func readMap() -> ReadMap {
        if let passingMaker { return ReadMap(elementType, madeBy: passingMaker) }
        let tensor = memory!
        guard let maker else { return ReadMap(tensor) }
        self.maker = nil
        return ReadMap(tensor, madeBy: maker)
    }

    var passingMaker: MadeMap? { memory == nil ? maker : nil }
}

/// The sums that the backward of a normalisation begins with, perhaps taken before by the convolution that completed the
/// gradient.
final class GradientMoments {
    let sums: GradientSums
    private var total: Accumulators?

    init(_ sums: GradientSums) { self.sums = sums }

    func keep(_ total: Accumulators?) { self.total = total }

    func take() -> Accumulators? {
        defer { total = nil }
        return total
    }
}
