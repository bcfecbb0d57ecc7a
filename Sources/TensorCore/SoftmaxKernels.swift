import Glibc

extension Tensor {
    /// Turns logits [rows, K, W] into the gradient of Σ −counts · log softmax_K(logits): softmax · Σ_K counts − counts;
    /// returns the sum.
    ///
    /// `counts` [rows, K, W] says how many labels of each class a place stands for; a place without any gets no gradient.
    @discardableResult
    public func turnIntoCrossEntropyGradient(counts: [UInt8]) -> Double {
        precondition(shape.count == 3 && count == counts.count, "\(counts.count) counts for logits \(shape)")
        let (rows, classes, width) = (shape[0], shape[1], shape[2])
        let logits = pointer
        // By rows, so that their sum does not depend on the number of threads.
        let losses = Accumulators(rows)
        counts.withUnsafeBufferPointer { counts in
            let labels = counts.baseAddress!
            parallelFor(rows) { _, part in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * width) { scratch in
                    for row in part {
                        let at = row * classes * width
                        losses[row] = crossEntropyGradient(
                            logits + at, labels + at, classes: classes, width: width, scratch: scratch.baseAddress!)
                    }
                }
            }
        }
        return losses.values.reduce(0, +)
    }

    /// The class of largest logit at each place of [rows, K, W]: [rows · W]; of equal ones the first.
    public func largestClasses() -> [Int32] {
        precondition(shape.count == 3, "classes of \(shape)")
        let (rows, classes, width) = (shape[0], shape[1], shape[2])
        let logits = pointer
        var result = [Int32](repeating: 0, count: rows * width)
        result.withUnsafeMutableBufferPointer { result in
            let winners = result.baseAddress!
            parallelFor(rows) { _, part in
                withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { best in
                    for row in part {
                        let at = logits + row * classes * width, winner = winners + row * width
                        for x in 0..<width { best[x] = at[x] }
                        for k in 1..<max(classes, 1) {
                            let plane = at + k * width
                            for x in 0..<width {
                                let larger = plane[x] > best[x]
                                best[x] = larger ? plane[x] : best[x]
                                winner[x] = larger ? Int32(truncatingIfNeeded: k) : winner[x]
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}

/// One row of places: planes of `width` numbers, one for each class. The loops over places vectorise. Returns the loss.
private func crossEntropyGradient(
    _ logits: UnsafeMutablePointer<Float>, _ labels: UnsafePointer<UInt8>, classes: Int, width: Int,
    scratch: UnsafeMutablePointer<Float>
) -> Double {
    let largest = scratch, total = scratch + width
    for x in 0..<width {
        largest[x] = logits[x]
        total[x] = 0
    }
    for k in 1..<max(classes, 1) {
        let plane = logits + k * width
        for x in 0..<width { largest[x] = plane[x] > largest[x] ? plane[x] : largest[x] }
    }
    // −Σ counts · log softmax = Σ counts · (log total + largest − logit).
    var loss: Float = 0
    for k in 0..<classes {
        let plane = logits + k * width, label = labels + k * width
        for x in 0..<width {
            let below = plane[x] - largest[x]
            loss -= Float(label[x]) * below
            let value = exponential(below)
            plane[x] = value
            total[x] += value
        }
    }
    // From here `largest` holds the factor of a softmax numerator: labels of the place over the sum.
    for x in 0..<width { largest[x] = 0 }
    for k in 0..<classes {
        let label = labels + k * width
        for x in 0..<width { largest[x] += Float(label[x]) }
    }
    var logarithms = 0.0
    for x in 0..<width {
        logarithms += Double(largest[x]) * Double(log(total[x]))
        largest[x] /= total[x]
    }
    for k in 0..<classes {
        let plane = logits + k * width, label = labels + k * width
        for x in 0..<width { plane[x] = plane[x] * largest[x] - Float(label[x]) }
    }
    return Double(loss) + logarithms
}
