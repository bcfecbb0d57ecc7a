import TensorCore

/// Numbers of the standard normal distribution, as real maps roughly have them.
func normalTensor(_ shape: [Int], _ generator: inout KeyedGenerator) -> Tensor {
    let tensor = Tensor(shape)
    for i in 0..<tensor.count { tensor.floats[i] = Float(generator.normal()) }
    return tensor
}
