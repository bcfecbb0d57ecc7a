/// Where scores stand: foreground positions look at background patches, both on grids.
///
/// A line is what one row of foreground positions has to say: [foreground columns, background rows · columns].
struct ScoreGrid {
    let foregroundRows, foregroundColumns: Int
    let backgroundRows, backgroundColumns: Int
    /// Whether a grid is walked through as one line, so that its rows' ends, and its columns' ends, have neighbours.
    let wraps: Bool

    /// Patches of the background.
    var patches: Int { backgroundRows * backgroundColumns }
    var lineSize: Int { foregroundColumns * patches }

    /// The scores of neighbours to the left and the right that are equally far from each other, added to those between
    /// them: t[x, x'] = Σ s[x + i, x' + i] for i = −1, 0, 1, nothing beyond the ends.
    ///
    /// - Parameter wraps: whether the next of the last position of a row is the first of the next row, on both grids.
    func sumBeside(_ source: RowStage, _ row: Int, wraps: Bool, into target: UnsafeMutablePointer<Float>) {
        let own = source[row], last = foregroundColumns - 1
        let before = wraps && row > 0 ? source[row - 1] + last * patches : nil
        let after = wraps && row < foregroundRows - 1 ? source[row + 1] : nil
        let segments = wraps ? 1 : backgroundRows, length = wraps ? patches : backgroundColumns
        for x in 0...last {
            let line = own + x * patches
            let left = x > 0 ? line - patches : before, right = x < last ? line + patches : after
            for start in stride(from: 0, to: segments * length, by: length) {
                let into = target + x * patches + start, inner = length - 1
                into.update(from: line + start, count: length)
                if let left { add(left + start, to: into + 1, count: inner) }
                if let right { add(right + start + 1, to: into, count: inner) }
            }
        }
    }

    /// The same of neighbours above and below.
    ///
    /// - Parameter wraps: whether the next of the last position of a column is the first of the next column.
    func sumStacked(_ source: RowStage, _ row: Int, wraps: Bool, into target: UnsafeMutablePointer<Float>) {
        let own = source[row], last = foregroundRows - 1, columns = backgroundColumns, inner = patches - columns
        let above = row > 0 ? source[row - 1] : wraps ? source[last] : nil
        let below = row < last ? source[row + 1] : wraps ? source[0] : nil
        // Across a column's end the neighbour is in the column beside it.
        let shiftAbove = row > 0 ? 0 : -1, shiftBelow = row < last ? 0 : 1
        for x in 0..<foregroundColumns {
            let into = target + x * patches
            into.update(from: own + x * patches, count: patches)
            if let above, x + shiftAbove >= 0 {
                let line = above + (x + shiftAbove) * patches
                add(line, to: into + columns, count: inner)
                if wraps { add(line + inner, to: into + 1, count: columns - 1) }
            }
            if let below, x + shiftBelow < foregroundColumns {
                let line = below + (x + shiftBelow) * patches
                add(line + columns, to: into, count: inner)
                if wraps { add(line + 1, to: into + inner, count: columns - 1) }
            }
        }
    }
}

/// target ← target + source.
// SAFETY: callers keep both within lines of a `ScoreGrid`.
@inline(__always)
func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
    for i in 0..<count { target[i] += source[i] }
}
