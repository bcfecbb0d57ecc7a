extension Tensor {
    /// |weight| and |self + decay · weight| in one pass, in double precision; self is the gradient.
    ///
    /// Sums are taken over blocks of a fixed size, so that they do not depend on the number of threads.
    public func norms(weight: Tensor, decay: Double) -> (weight: Double, decayedGradient: Double) {
        precondition(count == weight.count, "gradient \(shape) for weights \(weight.shape)")
        MemoryTraffic.count(read: byteCount + weight.byteCount)
        let block = 1 << 16, blocks = (count + block - 1) / block
        let sums = Accumulators(2 * blocks)
        let g = pointer, w = weight.pointer, total = sums.values
        let factor = SIMD8<Float>(repeating: Float(decay))
        parallelFor(blocks) { _, mine in
            for index in mine {
                let start = index * block
                var weights = SIMD8<Double>(), gradients = SIMD8<Double>()
                forEachEight(min(block, count - start)) { i, lanes in
                    let value = Float.load(w + start + i, lanes: lanes)
                    let decayed = Float.load(g + start + i, lanes: lanes).addingProduct(value, factor)
                    weights += SIMD8<Double>(value) * SIMD8<Double>(value)
                    gradients += SIMD8<Double>(decayed) * SIMD8<Double>(decayed)
                }
                total[2 * index] = weights.sum()
                total[2 * index + 1] = gradients.sum()
            }
        }
        var squares = (0.0, 0.0)
        for index in 0..<blocks {
            squares.0 += total[2 * index]
            squares.1 += total[2 * index + 1]
        }
        return (squares.0.squareRoot(), squares.1.squareRoot())
    }

    /// One pass of momentum SGD, self being the gradient: v ← momentum · v + scale · (g + decay · w); w ← w − rate · v.
    public func momentumStep(
        weight: Tensor, velocity: Tensor, decay: Float, scale: Float, momentum: Float, learningRate: Float
    ) {
        precondition(
            count == weight.count && count == velocity.count,
            "gradient \(shape) for weights \(weight.shape) and velocity \(velocity.shape)")
        MemoryTraffic.count(
            read: byteCount + weight.byteCount + velocity.byteCount, written: weight.byteCount + velocity.byteCount)
        let g = pointer, w = weight.pointer, v = velocity.pointer
        parallelFor(count) { _, range in
            for i in range {
                let speed = momentum * v[i] + scale * (g[i] + decay * w[i])
                v[i] = speed
                w[i] -= learningRate * speed
            }
        }
        weight.markChanged()
    }
}
