import Glibc

extension Tensor {
    /// Turns rows of cosines into the gradient of their contrastive loss, which it returns.
    ///
    /// Of a row c with positives P and weight w: w · (log Σ_k e^(c_k/τ) − log Σ_{k ∈ P} e^(c_k/τ)), whose gradient is
    /// w/τ · (softmax over all − softmax over the positives). A row without positives counts 0.
    ///
    /// - Parameters:
    ///   - mask: 1 for positives, else 0; of self's shape […, keys].
    ///   - weights: of each row.
    public func contrastRows(mask: Tensor, weights: [Double], temperature: Double) -> Double {
        let keys = shape[shape.count - 1], rows = count / keys
        precondition(
            mask.count == count && weights.count == rows,
            "cosines \(shape), mask \(mask.shape) and \(weights.count) weights do not fit")
        let values = pointer, positives = mask.pointer
        var losses = [Double](repeating: 0, count: rows)
        losses.withUnsafeMutableBufferPointer { losses in
            parallelFor(rows) { _, range in
                for row in range {
                    losses[row] = contrast(
                        values + row * keys, positives + row * keys, keys, weights[row], temperature)
                }
            }
        }
        // In order, so that the sum does not depend on the number of threads.
        return losses.reduce(0, +)
    }
}

/// One row of `keys` cosines: its loss; the cosines become their gradient.
private func contrast(
    _ cosines: UnsafeMutablePointer<Float>, _ positives: UnsafePointer<Float>, _ keys: Int, _ weight: Double,
    _ temperature: Double
) -> Double {
    // SAFETY: the caller gives `keys` elements of each.
    var all = 0.0, matching = 0.0
    let largest = Double((0..<keys).reduce(-Float.infinity) { max($0, cosines[$1]) })
    for key in 0..<keys {
        let value = exp((Double(cosines[key]) - largest) / temperature)
        all += value
        if positives[key] > 0 { matching += value }
    }
    let counts = matching > 0 && weight != 0
    for key in 0..<keys {
        let value = exp((Double(cosines[key]) - largest) / temperature)
        let slope = value / all - (positives[key] > 0 ? value / matching : 0)
        cosines[key] = counts ? Float(weight / temperature * slope) : 0
    }
    return counts ? weight * (log(all) - log(matching)) : 0
}
