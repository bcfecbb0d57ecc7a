import CVector

/// Softmax of scores over the places that count.
enum MaskedSoftmax {
    /// Smaller shares become 0: they move no sum of float32 numbers, and the denormal numbers that a sharp softmax leaves
    /// make products with them many times slower.
    private static let leastLogit: Float = -46

    /// weights ← softmax(scale · scores) where `bias` is 0, and 0 where it is −∞: everywhere, if nothing counts.
    static func weights(
        of scores: UnsafePointer<Float>, bias: UnsafePointer<Float>, scale: Float, count: Int,
        into weights: UnsafeMutablePointer<Float>
    ) {
        var largest = SIMD8<Float>(repeating: -.infinity)
        let whole = count / 8 * 8
        // SAFETY: all three have `count` numbers.
        for i in stride(from: 0, to: whole, by: 8) {
            // In this order NaN is passed over here, and makes a row of NaN below.
            largest = cvector_maximum(Float.load8(scores + i) + Float.load8(bias + i), largest)
        }
        for i in whole..<count { largest[0] = max(largest[0], scores[i] + bias[i]) }
        let top = largest.max()
        guard top > -.infinity else {
            weights.update(repeating: 0, count: count)
            return
        }
        var sums = SIMD8<Float>()
        forEachEight(count) { i, lanes in
            let logit = (Float.load(scores + i, lanes: lanes) - top) * scale + Float.load(bias + i, lanes: lanes)
            var share = exponential(logit)
            share.replace(with: 0, where: logit .< leastLogit)
            if lanes < 8 { for lane in lanes..<8 { share[lane] = 0 } }
            sums += share
            Float.store(share, weights + i, lanes: lanes)
        }
        let factor = 1 / sums.sum()
        for i in 0..<count { weights[i] *= factor }
    }

    /// gradient ← scale · weights ⊙ (gradient − Σ weights · gradient): that of the scores.
    static func scaleBySlope(
        weights: UnsafePointer<Float>, scale: Float, count: Int, _ gradient: UnsafeMutablePointer<Float>
    ) {
        let mean = innerProduct(weights, gradient, count: count)
        for i in 0..<count { gradient[i] = scale * weights[i] * (gradient[i] - mean) }
    }
}

/// Σ a · b in double precision.
// SAFETY: callers give two arrays of `count` numbers.
func innerProduct(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
    let whole = count / 8 * 8
    var lanes = SIMD8<Double>()
    for i in stride(from: 0, to: whole, by: 8) {
        lanes += SIMD8<Double>(Float.load8(a + i)) * SIMD8<Double>(Float.load8(b + i))
    }
    var rest = 0.0
    for i in whole..<count { rest += Double(a[i]) * Double(b[i]) }
    return Float(lanes.sum() + rest)
}
