/// The way back through attention, of a band of foreground positions.
final class PatchGradients {
    /// [positions of the band, C]: of the foreground's positions.
    let foregroundPositions: Tensor
    /// [positions, C] and [cells, 4C]: the band's part of the background's gradient.
    let backgroundPositions, backgroundCells: Tensor
    /// Σ dS · S of each patch, and of each of the band's positions where those are divided by their norms.
    private(set) var patchSlopes: [Double]
    private(set) var positionSlopes: [Double] = []
    let band: PatchInputs.Band

    init(_ inputs: PatchInputs, _ band: PatchInputs.Band, outputCells: Tensor) {
        self.band = band
        let grid = inputs.grid, b = inputs.background
        foregroundPositions = Tensor([band.rows.count * grid.foregroundColumns, b.channels])
        backgroundPositions = .zeros([b.positions, b.channels])
        backgroundCells = .zeros([b.cells, b.cellWidth])
        patchSlopes = [Double](repeating: 0, count: b.positions)
        let rows = ScoreRows(inputs, band.image, keepsForGradients: true)
        let gradients = ScoreGradientRows(inputs, band.image, rows, outputCells: outputCells)
        let sums = PatchSums(inputs, rows, band), weights = Tensor([grid.cellLineSize])
        for row in band.rows {
            addSimilarityGradient(inputs, rows, gradients, row)
            addValueGradient(inputs, sums, row, weights, outputCells)
        }
        addValueGradient(inputs, sums, band.rows.upperBound, weights, outputCells)
    }

    /// Of the background's cells, from a line of the output's.
    private func addValueGradient(
        _ inputs: PatchInputs, _ sums: PatchSums, _ line: Int, _ weights: Tensor, _ outputCells: Tensor
    ) {
        sums.fill(weights.pointer, line)
        inputs.products(band.image).valueGradient(
            weights: weights.pointer, outputGradient: inputs.cellLine(outputCells, band.image, line).pointer,
            count: inputs.grid.cellColumns, beta: 1, into: backgroundCells.pointer)
    }

    /// Of positions on both sides, and of the norms of their patches.
    private func addSimilarityGradient(
        _ inputs: PatchInputs, _ rows: ScoreRows, _ gradients: ScoreGradientRows, _ row: Int
    ) {
        let grid = inputs.grid, products = inputs.products(band.image), count = grid.foregroundColumns
        let similarity = gradients.similarities[row]
        let queries = RowMatrix(inputs.foregroundPositions, band.image)[row * count]
        let own = (row - band.rows.lowerBound) * count * inputs.background.channels
        products.queryGradient(
            similarityGradient: similarity, count: count, beta: 0, into: foregroundPositions.pointer + own)
        products.keyGradient(
            similarityGradient: similarity, queries: queries, count: count, beta: 1,
            into: backgroundPositions.pointer)
        let slopes = gradients.scores[row], scores = rows.scores[row]
        // SAFETY: both are lines of the grid, and there is a slope for each patch.
        patchSlopes.withUnsafeMutableBufferPointer { patchSlopes in
            let sums = patchSlopes.baseAddress!
            for x in 0..<count {
                let ds = slopes + x * grid.patches, s = scores + x * grid.patches
                for patch in 0..<grid.patches { sums[patch] += Double(ds[patch] * s[patch]) }
            }
        }
        guard inputs.options.isCosine else { return }
        for x in 0..<count {
            let at = x * grid.patches
            positionSlopes.append(Double(innerProduct(slopes + at, scores + at, count: grid.patches)))
        }
    }
}

/// Gradients of similarities of one picture, line by line, from those of the output's cells.
private final class ScoreGradientRows {
    /// dS: of scores, divided by norms.
    let scores: RowStage
    /// dD: of the positions' inner products.
    let similarities: RowStage

    init(_ inputs: PatchInputs, _ image: Int, _ rows: ScoreRows, outputCells: Tensor) {
        let grid = inputs.grid, size = grid.lineSize, products = inputs.products(image)
        func stage(keeping count: Int = 3, _ compute: @escaping (Int, UnsafeMutablePointer<Float>) -> Void) -> RowStage
        {
            RowStage(keeping: count, size: size, compute)
        }
        let cells = RowStage(keeping: 2, size: grid.cellLineSize) { line, target in
            products.weightGradient(
                outputGradient: inputs.cellLine(outputCells, image, line).pointer, count: grid.cellColumns,
                into: target)
        }
        // The adjoint of a sum over neighbours is that sum; of two, the second comes first.
        func propagated(_ source: RowStage, keeping count: Int = 3) -> RowStage {
            let stacked = stage { grid.sumStacked(source, $0, wraps: grid.wraps, into: $1) }
            return stage(keeping: count) { grid.sumBeside(stacked, $0, wraps: grid.wraps, into: $1) }
        }
        func softmaxGradient(_ line: UnsafeMutablePointer<Float>, _ row: Int) {
            let weights = rows.softmax[row]
            for at in stride(from: 0, to: size, by: grid.patches) {
                MaskedSoftmax.scaleBySlope(
                    weights: weights + at, scale: PatchAttention.scale, count: grid.patches, line + at)
            }
        }
        let attention = stage { grid.gatherFromCells(cells[$0], cells[$0 + 1], into: $1) }
        if inputs.options.propagatesScores {
            let logits = stage { row, line in
                line.update(from: attention[row], count: size)
                softmaxGradient(line, row)
            }
            scores = propagated(logits)
        } else {
            let bias = inputs.valid.rows(image..<image + 1)
            let sums = stage { row, line in
                line.update(from: attention[row], count: size)
                for at in stride(from: 0, to: size, by: grid.patches) {
                    normalizationGradient(
                        rows.attention[row] + at, rows.propagated[row] + at, bias: bias.pointer, count: grid.patches,
                        line + at)
                }
            }
            let spread = propagated(sums)
            scores = stage { row, line in
                line.update(from: spread[row], count: size)
                softmaxGradient(line, row)
            }
        }
        let scores = self.scores, factors = inputs.backgroundFactors(image), own = inputs.foregroundFactors(image)
        let patches = stage { row, line in
            line.update(from: scores[row], count: size)
            grid.scale(line, patches: factors, positions: own, row: row)
        }
        let stacked = stage { grid.sumStacked(patches, $0, wraps: false, into: $1) }
        similarities = stage { grid.sumBeside(stacked, $0, wraps: false, into: $1) }
    }
}

/// gradient ← (gradient − Σ A · gradient) / Σ w where a patch counts, 0 elsewhere: that of weights w before their division
/// by their sum, A being what it gave.
private func normalizationGradient(
    _ attention: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, bias: UnsafePointer<Float>, count: Int,
    _ gradient: UnsafeMutablePointer<Float>
) {
    // SAFETY: all are of `count` patches.
    let sum = ScoreRows.sum(weights, bias: bias, count: count)
    guard sum > PatchAttention.leastSum else {
        gradient.update(repeating: 0, count: count)
        return
    }
    let mean = innerProduct(attention, gradient, count: count)
    for i in 0..<count { gradient[i] = bias[i] == 0 ? (gradient[i] - mean) / sum : 0 }
}

extension PatchInputs {
    /// Puts the parts of a picture's bands together.
    func place(_ parts: [PatchGradients], _ image: Int, foregroundGradient: Tensor, backgroundGradient: Tensor) {
        let f = foreground, b = background, whole = parts[0]
        for other in parts.dropFirst() {
            whole.backgroundPositions.addOnThisThread(other.backgroundPositions)
            whole.backgroundCells.addOnThisThread(other.backgroundCells)
        }
        let positions = Tensor([f.positions, f.channels])
        for part in parts {
            (positions.pointer + part.band.rows.lowerBound * f.columns * f.channels).update(
                from: part.foregroundPositions.pointer, count: part.foregroundPositions.count)
        }
        let slopes = parts.dropFirst().reduce(whole.patchSlopes) { zip($0, $1.patchSlopes).map(+) }
        b.addNormGradient(
            slopes: slopes, norms: backgroundNorms[image],
            positions: backgroundPositions.rows(image..<image + 1).pointer, to: whole.backgroundPositions.pointer)
        if options.isCosine {
            f.addNormGradient(
                slopes: parts.flatMap(\.positionSlopes), norms: foregroundNorms[image],
                positions: foregroundPositions.rows(image..<image + 1).pointer, to: positions.pointer)
        }
        let df = foregroundGradient.rows(image..<image + 1).pointer
        let db = backgroundGradient.rows(image..<image + 1).pointer
        f.addPositions(positions.pointer, to: df)
        b.placeCells(whole.backgroundCells.pointer, factor: { _, _ in 1 }, into: db)
        b.addPositions(whole.backgroundPositions.pointer, to: db)
    }
}
