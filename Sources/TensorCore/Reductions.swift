extension Tensor {
    /// The sum of squares, accumulated in double precision in an order that depends on the count alone.
    public var sumOfSquares: Double {
        let x = pointer
        let whole = count / 8 * 8
        var lanes = SIMD8<Double>()
        for i in stride(from: 0, to: whole, by: 8) {
            let value = SIMD8<Double>(Float.load8(x + i))
            lanes += value * value
        }
        var rest = 0.0
        for i in whole..<count { rest += Double(x[i]) * Double(x[i]) }
        return lanes.sum() + rest
    }

    /// The Euclidean norm of all elements.
    public var norm: Double { sumOfSquares.squareRoot() }

    /// Whether no element is infinite or NaN.
    public var isFinite: Bool {
        // 0 · x is 0 for finite x and NaN otherwise, so one sum tells.
        let x = pointer
        let whole = count / 8 * 8
        var lanes = SIMD8<Float>()
        for i in stride(from: 0, to: whole, by: 8) { lanes += Float.load8(x + i) * 0 }
        for i in whole..<count { lanes[0] += x[i] * 0 }
        return lanes.sum() == 0
    }
}

extension Tensor {
    /// Σ self · other, accumulated in double precision.
    public func innerProduct(_ other: Tensor) -> Double {
        precondition(count == other.count, "inner product of \(shape) and \(other.shape)")
        MemoryTraffic.count(read: byteCount + other.byteCount)
        let a = pointer, b = other.pointer
        let whole = count / 8 * 8
        var lanes = SIMD8<Double>()
        for i in stride(from: 0, to: whole, by: 8) {
            lanes += SIMD8<Double>(Float.load8(a + i)) * SIMD8<Double>(Float.load8(b + i))
        }
        var rest = 0.0
        for i in whole..<count { rest += Double(a[i]) * Double(b[i]) }
        return lanes.sum() + rest
    }
}
