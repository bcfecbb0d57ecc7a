/// Contextual attention (Yu et al. 2018, section 4.1): patches of a foreground map are compared with those of a background
/// map, and the output is made of background patches, weighted by likeness.
///
/// Of positions p and patches q: S = ⟨f_p, b_q⟩ / max(‖b_q‖, 10⁻⁴), 3×3 patches of positions; scores of neighbours at
/// equal displacements are added up, beside each other first, then one above the other; A = softmax(10 · scores) over
/// the patches that count; the output is the sum of the 4×4 pixel patches, weighted by A, each pixel an average of those
/// that overlap there.
///
/// A patch's inner product is a sum of its positions' inner products, so that those are computed once (a ninth of the
/// work), line by line, and neighbouring lines are asked for; about fifteen lines of scores are held for each compute
/// thread, sixty on the way back, which computes them once more. A line has foreground columns × patches numbers.
public struct PatchAttention: Sendable, Equatable {
    /// Whether scores are divided by the norm of the foreground's patch too.
    public var isCosine: Bool
    /// Whether scores of neighbours are added up before the softmax, or its weights after it, divided by their sum then.
    public var propagatesScores: Bool
    /// Whether the ends of rows and columns have the next ones' beginnings as neighbours, or none.
    public var wraps: Bool
    /// Whether overlapping patches are divided by their number, or by four everywhere.
    public var averagesByCount: Bool

    public init(isCosine: Bool, propagatesScores: Bool, wraps: Bool, averagesByCount: Bool) {
        (self.isCosine, self.propagatesScores) = (isCosine, propagatesScores)
        (self.wraps, self.averagesByCount) = (wraps, averagesByCount)
    }

    /// Factor of the scores before the softmax.
    public static let scale: Float = 10
    /// No patch is divided by a norm below this.
    public static let leastNorm: Float = 1e-4
    /// No weights are divided by a sum below this.
    public static let leastSum: Float = 1e-12

    /// foreground [N, H, W, C], background [N, H', W', C], float32, of even sides; `valid` [N, H'/2 · W'/2] is 0 where a
    /// patch counts and −∞ where it does not. Returns [N, H, W, C], 0 in a picture no patch of which counts, and where it
    /// is asked for the patch of largest weight for each position: [N · H/2 · W/2], the first of equal ones, −1 in such a
    /// picture.
    public func callAsFunction(
        foreground: Tensor, background: Tensor, valid: Tensor, wantsBest: Bool = false
    ) -> (output: Tensor, best: [Int32]?) {
        let inputs = PatchInputs(foreground, background, valid: valid, self), f = inputs.foreground
        let cells = Tensor([inputs.images, f.cells, f.cellWidth]), output = Tensor(foreground.shape)
        var best = wantsBest ? [Int32](repeating: -1, count: inputs.images * f.positions) : nil
        let parts = inputs.forEachBand { band in
            let rows = ScoreRows(inputs, band.image)
            return PatchSums(inputs, rows, band).write(into: cells, wantsBest: wantsBest)
        }
        for (band, part) in parts {
            let start = (band.image * f.rows + band.rows.lowerBound) * f.columns
            best?.replaceSubrange(start..<start + part.best.count, with: part.best)
            if let last = part.lastLine {
                inputs.cellLine(cells, band.image, band.rows.upperBound).addOnThisThread(last)
            }
        }
        inputs.placeCells(cells, into: output)
        return (output, best)
    }

    /// The gradients for foreground and background of an output whose gradient is `outputGradient`.
    public func gradients(
        foreground: Tensor, background: Tensor, valid: Tensor, outputGradient: Tensor
    ) -> (foreground: Tensor, background: Tensor) {
        let inputs = PatchInputs(foreground, background, valid: valid, self)
        let cells = inputs.takeCells(ofGradient: outputGradient)
        let parts = inputs.forEachBand { band in PatchGradients(inputs, band, outputCells: cells) }
        let df = Tensor.zeros(foreground.shape), db = Tensor.zeros(background.shape)
        for image in 0..<inputs.images {
            let own = parts.filter { $0.0.image == image }.map(\.1)
            inputs.place(own, image, foregroundGradient: df, backgroundGradient: db)
        }
        return (df, db)
    }

    /// A stage on the way from scores to weights.
    public enum Stage: Sendable { case scores, propagated, attention }

    /// All of a stage, for comparisons on small maps: [N, H/2 · W/2, H'/2 · W'/2].
    public func matrix(
        _ stage: Stage, foreground: Tensor, background: Tensor, valid: Tensor
    ) -> Tensor {
        let inputs = PatchInputs(foreground, background, valid: valid, self), f = inputs.foreground
        let result = Tensor([inputs.images, f.positions, inputs.background.positions])
        for image in 0..<inputs.images {
            let rows = ScoreRows(inputs, image)
            for row in 0..<f.rows {
                let line =
                    switch stage {
                    case .scores: rows.scores[row]
                    case .propagated: propagatesScores ? rows.propagated[row] : rows.scores[row]
                    case .attention: rows.attention[row]
                    }
                (result.pointer + (image * f.rows + row) * inputs.grid.lineSize).update(
                    from: line, count: inputs.grid.lineSize)
            }
        }
        return result
    }
}
