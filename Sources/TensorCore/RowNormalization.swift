/// No row is divided by less.
private let leastRowNorm: Float = 1e-12

extension Tensor {
    /// Divides each row of […, C] by max(its Euclidean norm, 1e-12) (`F.normalize`); returns rows and their norms.
    public func normalizedRows() -> (unit: Tensor, norms: Tensor) {
        let columns = shape.last!
        let rows = count / columns
        let unit = Tensor(shape), norms = Tensor([rows])
        MemoryTraffic.count(read: byteCount, written: unit.byteCount)
        let x = pointer, y = unit.pointer, n = norms.pointer
        parallelFor(rows) { _, range in
            for row in range {
                let input = x + row * columns, target = y + row * columns
                let norm = max(dot(input, input, columns).squareRoot(), leastRowNorm)
                n[row] = norm
                let inverse = 1 / norm
                for c in 0..<columns { target[c] = input[c] * inverse }
            }
        }
        return (unit, norms)
    }

    /// The gradient of `normalizedRows` for its input; self is the unit rows: (g − y (y·g)) / |x|.
    public func normalizedRowsGradient(norms: Tensor, gradient: Tensor) -> Tensor {
        precondition(gradient.count == count, "gradient \(gradient.shape) for unit rows \(shape)")
        let columns = shape.last!
        let result = Tensor(shape)
        MemoryTraffic.count(read: byteCount + gradient.byteCount, written: result.byteCount)
        let y = pointer, g = gradient.pointer, n = norms.pointer, target = result.pointer
        parallelFor(count / columns) { _, range in
            for row in range {
                let at = row * columns
                // A row shorter than the floor was divided by a constant, which has no gradient of its own.
                let along = n[row] > leastRowNorm ? dot(y + at, g + at, columns) : 0
                let inverse = 1 / n[row]
                for c in at..<at + columns { target[c] = (g[c] - y[c] * along) * inverse }
            }
        }
        return result
    }
}

/// Σ a·b over `count` floats, in eight lanes.
@inline(__always)
func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    let whole = count / 8 * 8
    var lanes = SIMD8<Float>()
    for i in stride(from: 0, to: whole, by: 8) { lanes.addProduct(Float.load8(a + i), Float.load8(b + i)) }
    var rest: Float = 0
    for i in whole..<count { rest += a[i] * b[i] }
    return lanes.sum() + rest
}
