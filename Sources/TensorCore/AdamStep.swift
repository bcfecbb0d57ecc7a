extension Tensor {
    /// One pass of Adam, self being the gradient: m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
    /// w ← w − rate · m / (√v · inverseRoot + ε), g with `decay` times the weight.
    public func adamStep(
        weight: Tensor, firstMoment: Tensor, secondMoment: Tensor, decay: Float, beta1: Float, beta2: Float,
        rate: Float, inverseRoot: Float, epsilon: Float
    ) {
        precondition(
            count == weight.count && count == firstMoment.count && count == secondMoment.count,
            "gradient \(shape) for weights \(weight.shape), moments \(firstMoment.shape) and \(secondMoment.shape)")
        MemoryTraffic.count(read: 4 * byteCount, written: 3 * byteCount)
        let g = pointer, w = weight.pointer, m = firstMoment.pointer, v = secondMoment.pointer
        parallelFor(count) { _, range in
            for i in range {
                let slope = g[i] + decay * w[i]
                m[i] = beta1 * m[i] + (1 - beta1) * slope
                v[i] = beta2 * v[i] + (1 - beta2) * slope * slope
                w[i] -= rate * m[i] / (v[i].squareRoot() * inverseRoot + epsilon)
            }
        }
    }
}
