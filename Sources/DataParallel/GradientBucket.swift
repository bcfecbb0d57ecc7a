package import NeuralNetwork
package import TensorCore

/// One message's worth of gradients: the parameters' gradients are slices of its memory, so nothing is copied.
package final class GradientBucket {
    /// All gradients of the bucket one after another; the padding between them stays zero.
    package let gradients: Tensor
    package let parameters: [Parameter]
    private var complete = 0

    /// Binds the gradients of `parameters` (in the plan's slots) to new memory.
    init(_ bucket: BucketPlan.Bucket, of parameters: [Parameter]) {
        gradients = .zeros([bucket.count])
        self.parameters = bucket.slots.map { parameters[$0.parameter] }
        for (slot, parameter) in zip(bucket.slots, self.parameters) {
            parameter.bindGradient(to: gradients.view(offset: slot.offset, shape: [slot.count]))
        }
    }

    var isComplete: Bool { complete == parameters.count }
    var byteCount: Int { gradients.count * MemoryLayout<Float>.stride }

    func begin() {
        complete = 0
        for parameter in parameters { parameter.clearGradient() }
    }

    func countCompleteGradient() { complete += 1 }
}
