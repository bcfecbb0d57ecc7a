#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Loads eight floats from any address.
@inline(__always)
func load8(_ pointer: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(pointer).loadUnaligned(as: SIMD8<Float>.self)
}

extension Tensor {
    /// The sum of squares, accumulated in double precision in an order that depends on the count alone.
    public var sumOfSquares: Double {
        let x = pointer
        let whole = count / 8 * 8
        var lanes = SIMD8<Double>()
        for i in stride(from: 0, to: whole, by: 8) {
            let value = SIMD8<Double>(load8(x + i))
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
        for i in stride(from: 0, to: whole, by: 8) { lanes += load8(x + i) * 0 }
        for i in whole..<count { lanes[0] += x[i] * 0 }
        return lanes.sum() == 0
    }

    /// Adds the column sums of this tensor […, C] to `sums` [C]: sums ← beta · sums + Σ rows.
    public func columnSums(into sums: Tensor, beta: Float) {
        let columns = sums.count
        precondition(shape.last == columns, "column sums of \(shape) into \(sums.shape)")
        let totals = columnTotals(columns: columns) { row, _, total in
            for c in 0..<columns { total[c] += Double(row[c]) }
        }
        let s = sums.pointer
        for c in 0..<columns { s[c] = (beta == 0 ? 0 : beta * s[c]) + Float(totals[c]) }
    }

    /// Per column the sum and the sum of squares, in double precision: [Σx (C), Σx² (C)].
    public func columnMoments() -> [Double] {
        let columns = shape.last!
        return columnTotals(columns: columns, width: 2 * columns) { row, _, total in
            let squares = total + columns
            for c in 0..<columns {
                let value = Double(row[c])
                total[c] += value
                squares[c] += value * value
            }
        }
    }

    /// Per column the sum of `gradient` and of `gradient · self`, in double precision: [Σg (C), Σgx (C)].
    public func columnMoments(withGradient gradient: Tensor) -> [Double] {
        precondition(count == gradient.count, "gradient \(gradient.shape) for \(shape)")
        let columns = shape.last!
        let g = gradient.pointer
        return columnTotals(columns: columns, width: 2 * columns) { row, index, total in
            let products = total + columns
            let other = g + index * columns
            for c in 0..<columns {
                let value = Double(other[c])
                total[c] += value
                products[c] += value * Double(row[c])
            }
        }
    }

    /// Runs `add(row, its number, running totals)` over all rows; threads' totals are summed in their order.
    private func columnTotals(
        columns: Int, width: Int? = nil,
        _ add: (UnsafePointer<Float>, Int, UnsafeMutablePointer<Double>) -> Void
    ) -> [Double] {
        let width = width ?? columns
        let parts = ComputeThreads.shared.threads
        let x = pointer
        var partial = [Double](repeating: 0, count: width * parts)
        partial.withUnsafeMutableBufferPointer { buffer in
            let base = buffer.baseAddress!
            parallelFor(count / max(columns, 1)) { part, rows in
                let total = base + part * width
                for row in rows { add(x + row * columns, row, total) }
            }
        }
        for part in 1..<max(parts, 1) {
            for c in 0..<width { partial[c] += partial[part * width + c] }
        }
        return Array(partial.prefix(width))
    }
}

extension Tensor {
    /// Σ self · other, accumulated in double precision.
    public func innerProduct(_ other: Tensor) -> Double {
        precondition(count == other.count, "inner product of \(shape) and \(other.shape)")
        let a = pointer, b = other.pointer
        let whole = count / 8 * 8
        var lanes = SIMD8<Double>()
        for i in stride(from: 0, to: whole, by: 8) { lanes += SIMD8<Double>(load8(a + i)) * SIMD8<Double>(load8(b + i)) }
        var rest = 0.0
        for i in whole..<count { rest += Double(a[i]) * Double(b[i]) }
        return lanes.sum() + rest
    }
}
