package import TensorCore

/// A value on its way through a model, and the gradient that flows back to it.
///
/// The value is never written to again: any number of operations may read it.
package final class Variable {
    package let value: Tensor
    /// Whether a gradient is wanted: false for images (unless it is asked for), and for what is computed without a tape
    /// or from nothing that wants one.
    package let needsGradient: Bool
    /// Of the value's element type.
    package private(set) var gradient: Tensor?

    package init(_ value: Tensor, needsGradient: Bool = false) {
        self.value = value
        self.needsGradient = needsGradient
    }

    /// Adds a contribution; the variable takes over `tensor`, which nobody else may use afterwards.
    package func receive(_ tensor: Tensor) {
        guard needsGradient else { return }
        precondition(
            tensor.count == value.count && tensor.elementType == value.elementType,
            "gradient \(tensor.elementType) \(tensor.shape) for value \(value.elementType) \(value.shape)")
        if let gradient {
            gradient.addInPlace(tensor)
        } else {
            gradient = tensor.reshaped(value.shape)
        }
    }

    /// Lets `contribution` write to the gradient, or add to it where there is something already.
    func accumulate(_ contribution: (_ gradient: Tensor, _ accumulate: Bool) -> Void) {
        guard needsGradient else { return }
        if let gradient {
            contribution(gradient, true)
        } else {
            let fresh = Tensor(value.shape, value.elementType)
            contribution(fresh, false)
            gradient = fresh
        }
    }

    package func takeGradient() -> Tensor? {
        defer { gradient = nil }
        return gradient
    }
}
