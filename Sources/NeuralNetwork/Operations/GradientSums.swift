import TensorCore

extension Tensor {
    /// self ← beta · self + values.
    func add(_ values: Slice<UnsafeMutableBufferPointer<Double>>, beta: Float) {
        let target = floats
        for (i, value) in values.enumerated() { target[i] = (beta == 0 ? 0 : target[i]) + Float(value) }
    }
}
