package import TensorCore

/// A trained tensor of a model.
///
/// Convolution weights are kept output-major with channels last (OHWI), which is what NHWC kernels want; files hold
/// OIHW (see `StateDictionary`).
package final class Parameter {
    /// The name in published checkpoints, for example `encoder.layer1.0.conv1.weight`.
    package let name: String
    package let value: Tensor
    /// The sum of gradients since `clearGradient`; nil for the momentum encoder's parameters, which have none.
    package private(set) var gradient: Tensor?
    /// Whether nothing has been added since `clearGradient`: the next contribution overwrites.
    package private(set) var gradientIsEmpty = true
    /// Whether gradients pass it by for now, as a critic's while its generator learns.
    package var isHeld = false
    /// False for a frozen parameter, for one that is held, and for those of a momentum encoder.
    package var needsGradient: Bool { gradient != nil && !isHeld }

    package init(name: String, value: Tensor) {
        self.name = name
        self.value = value
    }

    /// Vectors (normalisation and biases) are neither decayed nor scaled by LARS.
    package var isVector: Bool { value.shape.count == 1 }

    /// Makes `tensor` (of the value's count; often a slice of a bucket) hold the gradient from now on.
    package func bindGradient(to tensor: Tensor) {
        precondition(tensor.count == value.count, "gradient \(tensor.shape) for parameter \(name) \(value.shape)")
        gradient = tensor.reshaped(value.shape)
        gradientIsEmpty = true
    }

    package func clearGradient() { gradientIsEmpty = true }

    /// Lets an operation's backward add its contribution: `beta` is 0 for the first and 1 afterwards, as in a gemm.
    package func accumulate(_ contribution: (_ gradient: Tensor, _ beta: Float) throws -> Void) rethrows {
        guard let gradient, !isHeld else { return }
        try contribution(gradient, gradientIsEmpty ? 0 : 1)
        gradientIsEmpty = false
    }

    /// The gradient with zeros where nothing contributed, for the reducer.
    package func settleGradient() {
        guard gradientIsEmpty, let gradient else { return }
        gradient.fill(0)
        gradientIsEmpty = false
    }
}
