/// Weights of patches as weights of cells, and the sums of cells that they make.
///
/// The pixel patch of position (y, x) is cells (y, x) to (y + 1, x + 1), so that output cell (m, n) has from position
/// (m − i, n − j), of patch q, the background cell q + (i, j), for i and j of 0 and 1: weights of four neighbours at equal
/// displacements are added up.
final class PatchSums {
    private let inputs: PatchInputs
    private let rows: ScoreRows
    private let band: PatchInputs.Band
    private let beside: RowStage

    init(_ inputs: PatchInputs, _ rows: ScoreRows, _ band: PatchInputs.Band) {
        (self.inputs, self.rows, self.band) = (inputs, rows, band)
        let grid = inputs.grid
        beside = RowStage(keeping: 2, size: grid.cellColumns * grid.backgroundRows * grid.cellsBeside) {
            grid.sumBesideIntoCells(rows.attention[$0], into: $1)
        }
    }

    /// What a band has to say to others.
    struct Part {
        /// Cells of the line behind the band, of which the next band has the other share; nil at the picture's end.
        var lastLine: Tensor?
        /// The best patch of each position of the band, if it was asked for.
        var best: [Int32] = []
    }

    /// Writes lines of the output's cells as far as the band's positions make them.
    func write(into cells: Tensor, wantsBest: Bool) -> Part {
        let products = inputs.products(band.image), grid = inputs.grid
        let weights = Tensor([grid.cellLineSize])
        var part = Part()
        for line in band.rows.lowerBound...band.rows.upperBound {
            fill(weights.pointer, line)
            let isShared = line == band.rows.upperBound && line < grid.foregroundRows
            let target =
                isShared
                ? Tensor([grid.cellColumns, inputs.foreground.cellWidth]) : inputs.cellLine(cells, band.image, line)
            products.sums(of: weights.pointer, count: grid.cellColumns, into: target.pointer)
            if isShared { part.lastLine = target }
            if wantsBest, line < band.rows.upperBound { part.best += rows.best(line, grid: grid) }
        }
        return part
    }

    /// Weights [cell columns, background cells] of a line of output cells, from the band's positions.
    func fill(_ weights: UnsafeMutablePointer<Float>, _ line: Int) {
        let grid = inputs.grid, own = grid.backgroundRows * grid.cellsBeside, shift = grid.cellsBeside
        let above = line > band.rows.lowerBound ? beside[line - 1] : nil
        let below = line < band.rows.upperBound ? beside[line] : nil
        // SAFETY: a line of cells has one row of them more than `beside`.
        for n in 0..<grid.cellColumns {
            let target = weights + n * grid.backgroundCells
            if let below {
                target.update(from: below + n * own, count: own)
                (target + own).update(repeating: 0, count: shift)
            } else {
                target.update(repeating: 0, count: own + shift)
            }
            if let above { add(above + n * own, to: target + shift, count: own) }
        }
    }
}

/// Cells of the two grids.
extension ScoreGrid {
    var cellColumns: Int { foregroundColumns + 1 }
    /// In a row of background cells.
    var cellsBeside: Int { backgroundColumns + 1 }
    var backgroundCells: Int { (backgroundRows + 1) * cellsBeside }
    var cellLineSize: Int { cellColumns * backgroundCells }

    /// A line of weights of patches → [cell columns, background rows, cells beside]: sums of two neighbours.
    func sumBesideIntoCells(_ line: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        // SAFETY: the left cell of a patch is the one of its number in a row, the right one the next.
        for n in 0..<cellColumns {
            for row in 0..<backgroundRows {
                let into = target + (n * backgroundRows + row) * cellsBeside
                into.update(repeating: 0, count: cellsBeside)
                if n < foregroundColumns {
                    add(line + n * patches + row * backgroundColumns, to: into, count: backgroundColumns)
                }
                if n > 0 {
                    add(line + (n - 1) * patches + row * backgroundColumns, to: into + 1, count: backgroundColumns)
                }
            }
        }
    }

    /// The adjoint of summing over four cells: a line of weights' gradients from those of two lines of cells.
    func gatherFromCells(
        _ above: UnsafePointer<Float>, _ below: UnsafePointer<Float>, into line: UnsafeMutablePointer<Float>
    ) {
        for x in 0..<foregroundColumns {
            let left = x * backgroundCells, right = left + backgroundCells
            for row in 0..<backgroundRows {
                let into = line + x * patches + row * backgroundColumns, at = row * cellsBeside
                let next = at + cellsBeside
                // SAFETY: cell rows are one longer than patch rows, and there is one more of them.
                let a = above + left + at, b = above + right + at + 1, c = below + left + next
                let d = below + right + next + 1
                for i in 0..<backgroundColumns { into[i] = (a[i] + b[i]) + (c[i] + d[i]) }
            }
        }
    }
}
