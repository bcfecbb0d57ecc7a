extension Tensor {
    /// self ← self + other.
    public func addInPlace(_ other: Tensor) {
        precondition(count == other.count, "cannot add \(other.shape) to \(shape)")
        let a = pointer, b = other.pointer
        parallelFor(count) { _, range in
            for i in range { a[i] += b[i] }
        }
    }

    /// self ← factor · self.
    public func scaleInPlace(_ factor: Float) {
        let a = pointer
        parallelFor(count) { _, range in
            for i in range { a[i] *= factor }
        }
    }

    /// self ← momentum · self + (1 − momentum) · other, the moving average of a momentum encoder.
    public func moveTowards(_ other: Tensor, momentum: Double) {
        precondition(count == other.count, "cannot average \(other.shape) into \(shape)")
        let a = pointer, b = other.pointer
        let keep = Float(momentum), take = Float(1 - momentum)
        parallelFor(count) { _, range in
            for i in range { a[i] = a[i] * keep + b[i] * take }
        }
    }

    /// output ← max(self, 0).
    public func rectified(into output: Tensor) {
        precondition(count == output.count, "cannot write \(shape) into \(output.shape)")
        let x = pointer, y = output.pointer
        parallelFor(count) { _, range in
            for i in range { y[i] = max(x[i], 0) }
        }
    }

    /// gradient ← gradient where self > 0, else 0; self is a rectified output.
    public func maskGradient(_ gradient: Tensor) {
        precondition(count == gradient.count, "gradient \(gradient.shape) for output \(shape)")
        let y = pointer, dy = gradient.pointer
        parallelFor(count) { _, range in
            for i in range { dy[i] = y[i] > 0 ? dy[i] : 0 }
        }
    }

    /// Adds `bias` [C] to every row of this tensor […, C].
    public func addToRows(_ bias: Tensor) {
        let columns = bias.count
        precondition(shape.last == columns, "bias \(bias.shape) for \(shape)")
        let y = pointer, b = bias.pointer
        parallelFor(count / columns) { _, rows in
            for row in rows {
                let target = y + row * columns
                for c in 0..<columns { target[c] += b[c] }
            }
        }
    }
}
