extension Tensor {
    /// |self + factor · other|, in double precision.
    public func norm(adding other: Tensor, times factor: Double) -> Double {
        precondition(count == other.count, "norm of \(shape) plus \(other.shape)")
        let g = pointer, w = other.pointer
        let whole = count / 8 * 8
        let weight = Float(factor)
        var lanes = SIMD8<Double>()
        for i in stride(from: 0, to: whole, by: 8) {
            let value = SIMD8<Double>(Float.load8(g + i).addingProduct(Float.load8(w + i), weight))
            lanes += value * value
        }
        var rest = 0.0
        for i in whole..<count {
            let value = Double(g[i] + w[i] * weight)
            rest += value * value
        }
        return (lanes.sum() + rest).squareRoot()
    }

    /// One pass of momentum SGD, self being the gradient: v ← momentum · v + scale · (g + decay · w); w ← w − rate · v.
    public func momentumStep(
        weight: Tensor, velocity: Tensor, decay: Float, scale: Float, momentum: Float, learningRate: Float
    ) {
        precondition(
            count == weight.count && count == velocity.count,
            "gradient \(shape) for weights \(weight.shape) and velocity \(velocity.shape)")
        let g = pointer, w = weight.pointer, v = velocity.pointer
        parallelFor(count) { _, range in
            for i in range {
                let speed = momentum * v[i] + scale * (g[i] + decay * w[i])
                v[i] = speed
                w[i] -= learningRate * speed
            }
        }
    }
}
