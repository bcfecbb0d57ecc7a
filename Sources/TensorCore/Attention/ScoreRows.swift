/// The way from positions to weights of one picture, line by line: S, propagated scores, A.
final class ScoreRows {
    let scores: RowStage
    /// Scores, or weights of the softmax, of neighbours added up.
    let propagated: RowStage
    /// The softmax over scores where weights are propagated after it; else the same as `attention`.
    let softmax: RowStage
    let attention: RowStage

    /// Lines that the way back still needs while its neighbours ask for the ones that follow.
    private static let linesBehind = 9

    /// - Parameter keepsForGradients: whether lines are asked for again by the way back.
    init(_ inputs: PatchInputs, _ image: Int, keepsForGradients: Bool = false) {
        let grid = inputs.grid, size = grid.lineSize, options = inputs.options
        // A line is read alone, or with its neighbours.
        let (alone, amongNeighbours) = keepsForGradients ? (Self.linesBehind, Self.linesBehind) : (1, 3)
        func stage(keeping count: Int, _ compute: @escaping (Int, UnsafeMutablePointer<Float>) -> Void) -> RowStage {
            RowStage(keeping: count, size: size, compute)
        }
        let raw = Self.similarities(inputs, image)
        let beside = stage(keeping: 3) { grid.sumBeside(raw, $0, wraps: false, into: $1) }
        let factors = inputs.backgroundFactors(image), own = inputs.foregroundFactors(image)
        let scores = stage(keeping: amongNeighbours) { row, line in
            grid.sumStacked(beside, row, wraps: false, into: line)
            grid.scale(line, patches: factors, positions: own, row: row)
        }
        let bias = inputs.valid.rows(image..<image + 1)
        func softmax(_ source: RowStage, keeping count: Int) -> RowStage {
            stage(keeping: count) { row, line in
                let scores = source[row]
                for at in stride(from: 0, to: size, by: grid.patches) {
                    MaskedSoftmax.weights(
                        of: scores + at, bias: bias.pointer, scale: PatchAttention.scale, count: grid.patches,
                        into: line + at)
                }
            }
        }
        func propagated(_ source: RowStage) -> RowStage {
            let beside = stage(keeping: 3) { grid.sumBeside(source, $0, wraps: grid.wraps, into: $1) }
            return stage(keeping: alone) { grid.sumStacked(beside, $0, wraps: grid.wraps, into: $1) }
        }
        self.scores = scores
        if options.propagatesScores {
            self.propagated = propagated(scores)
            self.softmax = softmax(self.propagated, keeping: alone)
            attention = self.softmax
        } else {
            self.softmax = softmax(scores, keeping: amongNeighbours)
            let spread = propagated(self.softmax)
            self.propagated = spread
            attention = stage(keeping: alone) { row, line in
                line.update(from: spread[row], count: size)
                for at in stride(from: 0, to: size, by: grid.patches) {
                    Self.normalize(line + at, bias: bias.pointer, count: grid.patches)
                }
            }
        }
    }

    /// Inner products of positions, of some lines at a time where they are short.
    private static func similarities(_ inputs: PatchInputs, _ image: Int) -> RowStage {
        let grid = inputs.grid, products = inputs.products(image), columns = grid.foregroundColumns
        let queries = RowMatrix(inputs.foregroundPositions, image)
        return RowStage(
            keeping: 1, size: grid.lineSize, of: grid.foregroundRows, rowsAtOnce: max(1, leastQueries / columns)
        ) { rows, lines in
            products.similarities(
                of: queries[rows.lowerBound * columns], count: rows.count * columns, into: lines)
        }
    }

    /// Queries below which a product is too flat to be fast.
    private static let leastQueries = 128

    /// Divides weights of patches that count by their sum; the others become 0.
    private static func normalize(_ weights: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>, count: Int) {
        let factor = 1 / max(sum(weights, bias: bias, count: count), PatchAttention.leastSum)
        for i in 0..<count { weights[i] = bias[i] == 0 ? weights[i] * factor : 0 }
    }

    /// Of weights that count.
    static func sum(_ weights: UnsafePointer<Float>, bias: UnsafePointer<Float>, count: Int) -> Float {
        var sum = 0.0
        for i in 0..<count where bias[i] == 0 { sum += Double(weights[i]) }
        return Float(sum)
    }

    /// The patch of largest weight of each position of a line, the first of equal ones; −1 where none counts.
    func best(_ row: Int, grid: ScoreGrid) -> [Int32] {
        let line = attention[row]
        return (0..<grid.foregroundColumns).map { x in
            let weights = line + x * grid.patches
            var best = -1, largest: Float = 0
            for patch in 0..<grid.patches where weights[patch] > largest {
                (best, largest) = (patch, weights[patch])
            }
            return Int32(best)
        }
    }
}

extension ScoreGrid {
    /// line ← line · factors of patches · factors of this line's positions.
    func scale(_ line: UnsafeMutablePointer<Float>, patches factors: Tensor, positions own: Tensor?, row: Int) {
        // SAFETY: a line of this grid; factors of as many patches and positions as it has.
        let factors = factors.pointer
        for x in 0..<foregroundColumns {
            let scores = line + x * patches, factor = own.map { $0.floats[row * foregroundColumns + x] } ?? 1
            for patch in 0..<patches { scores[patch] *= factors[patch] * factor }
        }
    }
}
