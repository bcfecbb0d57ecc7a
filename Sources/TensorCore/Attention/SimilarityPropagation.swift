import Glibc

/// Sums over all rows of an image, weighted by similarity: y_i = Σ_j s(⟨u_i, u_j⟩) v_j with s(c) = max(c, clamp)^exponent
/// (PixPro, Eq. 3 and 4); an exponent below 1 gets 1e-6 added to its base.
///
/// Exact, with a block of similarities at a time: of P rows no more than `blockRows` × P numbers are held for each
/// compute thread, twice that on the way back, which computes them once more. u and v are [N, P, C], u's rows unit.
public struct SimilarityPropagation: Sendable {
    private let clamp, exponent: Float

    public init(clamp: Float, exponent: Float) { (self.clamp, self.exponent) = (clamp, exponent) }

    /// With 28² rows a block is 0.4 MB, which a core's second-level cache holds; 7² rows are one block.
    public static let blockRows = 128

    /// One block of an image's rows against all of them.
    private struct Block {
        let image: Int
        let rows: Range<Int>
    }

    private func blocks(_ images: Range<Int>, _ rows: Int) -> [Block] {
        images.flatMap { image in
            stride(from: 0, to: rows, by: Self.blockRows).map {
                Block(image: image, rows: $0..<min($0 + Self.blockRows, rows))
            }
        }
    }

    /// y [N, P, C], and where it is asked for how evenly rows look at others: the mean entropy of each row's similarities,
    /// divided by their sum; 0 where all weight is on one row, 1 where it is equal everywhere. Rows without weight are left
    /// out.
    public func callAsFunction(
        unit: Tensor, values: Tensor, measuresEntropy: Bool = false
    ) -> (output: Tensor, entropy: Double?) {
        let (rows, channels) = (unit.shape[1], unit.shape[2])
        precondition(unit.shape == values.shape, "values \(values.shape) of rows \(unit.shape)")
        let output = Tensor(unit.shape), u = unit.pointer, y = output.pointer
        MemoryTraffic.count(read: unit.byteCount + values.byteCount, written: output.byteCount)
        let blocks = blocks(0..<unit.shape[0], rows)
        let entropies = measuresEntropy ? Accumulators(unit.shape[0] * rows) : nil
        parallelFor(blocks.count) { _, part in
            let similarities = Tensor([Self.blockRows, rows]), s = similarities.pointer
            for block in blocks[part] {
                let own = (block.image * rows + block.rows.lowerBound) * channels
                let products = products(unit: unit, values: values, block.image)
                products.similarities(of: u + own, count: block.rows.count, into: s)
                raise(s, count: block.rows.count * rows)
                if let entropies {
                    for (row, place) in block.rows.enumerated() {
                        entropies[block.image * rows + place] = relativeEntropy(s + row * rows, count: rows) ?? .nan
                    }
                }
                products.sums(of: s, count: block.rows.count, into: y + own)
            }
        }
        return (output, entropies.map(Self.mean))
    }

    /// Of the numbers among them, in their order, so that it does not depend on the threads.
    private static func mean(_ entropies: Accumulators) -> Double {
        let (sum, count) = entropies.values.lazy.filter { !$0.isNaN }.reduce((0.0, 0)) { ($0.0 + $1, $0.1 + 1) }
        return sum / Double(count)
    }

    /// The gradients for u and v of an output whose gradient is `dy`, each [N, P, C].
    ///
    /// dV = Sᵀ dY; dC = (dY Vᵀ) ⊙ s′(C), and C = U Uᵀ has u on both sides: dU = (dC + dCᵀ) U.
    public func gradients(unit: Tensor, values: Tensor, outputGradient: Tensor) -> (unit: Tensor, values: Tensor) {
        let (rows, channels) = (unit.shape[1], unit.shape[2])
        let du = Tensor(unit.shape), dv = Tensor(unit.shape)
        MemoryTraffic.count(
            read: unit.byteCount + values.byteCount + outputGradient.byteCount, written: du.byteCount + dv.byteCount)
        let (u, dy) = (unit.pointer, outputGradient.pointer), (pu, pv) = (du.pointer, dv.pointer)
        parallelFor(unit.shape[0]) { _, images in
            let first = Tensor([Self.blockRows, rows]), second = Tensor([Self.blockRows, rows])
            let (c, s) = (first.pointer, second.pointer)
            for block in blocks(images, rows) {
                let image = block.image * rows * channels, own = image + block.rows.lowerBound * channels
                let count = block.rows.count, beta: Float = block.rows.lowerBound == 0 ? 0 : 1
                let products = products(unit: unit, values: values, block.image)
                products.similarities(of: u + own, count: count, into: c)
                s.update(from: c, count: count * rows)
                raise(s, count: count * rows)
                products.valueGradient(
                    weights: s, outputGradient: dy + own, count: count, beta: beta, into: pv + image)
                products.weightGradient(outputGradient: dy + own, count: count, into: s)
                scaleBySlope(of: c, s, count: count * rows)
                products.keyGradient(
                    similarityGradient: s, queries: u + own, count: count, beta: beta, into: pu + image)
                products.queryGradient(similarityGradient: s, count: count, beta: 1, into: pu + own)
            }
        }
        return (du, dv)
    }

    /// Of an image, whose rows are queries and keys.
    private func products(unit: Tensor, values: Tensor, _ image: Int) -> AttentionProducts {
        AttentionProducts(keys: RowMatrix(unit, image), values: RowMatrix(values, image))
    }

    /// Added to the base of an exponent below 1, whose slope at 0 is infinite.
    private var bias: Float { exponent < 1 ? 1e-6 : 0 }

    /// x ← s(x).
    private func raise(_ x: UnsafeMutablePointer<Float>, count: Int) {
        if exponent == 2 {
            for i in 0..<count {
                let value = max(x[i], clamp)
                x[i] = value * value
            }
        } else {
            for i in 0..<count { x[i] = powf(max(x[i], clamp) + bias, exponent) }
        }
    }

    /// gradient ← gradient · s′(x).
    private func scaleBySlope(of x: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>, count: Int) {
        if exponent == 2 {
            for i in 0..<count { gradient[i] *= x[i] >= clamp ? 2 * x[i] : 0 }
        } else {
            for i in 0..<count { gradient[i] *= x[i] >= clamp ? exponent * powf(x[i] + bias, exponent - 1) : 0 }
        }
    }
}

/// The entropy of weights that are not negative as a share of the most there can be; 0 of a weight alone, nil where all
/// are 0.
public func relativeEntropy(_ weights: UnsafePointer<Float>, count: Int) -> Double? {
    let sum = (0..<count).reduce(0.0) { $0 + Double(weights[$1]) }
    guard sum > 0 else { return nil }
    guard count > 1 else { return 0 }
    var entropy = 0.0
    for place in 0..<count where weights[place] > 0 {
        let share = Double(weights[place]) / sum
        entropy -= share * log(share)
    }
    return entropy / log(Double(count))
}
