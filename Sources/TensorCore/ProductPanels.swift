import CAVX512
import CVector

/// Columns of a panel: matrices from the right lie in panels, depth rows in each, columns in these.
let panelColumns = Int(cavx512_panel)

/// target ← matrixᵀ; rows of the matrix are `rowStride` apart, its sides multiples of eight.
func transpose(
    _ matrix: UnsafePointer<Float>, rows: Int, columns: Int, rowStride: Int, into target: UnsafeMutablePointer<Float>
) {
    for row in stride(from: 0, to: rows, by: 8) {
        for column in stride(from: 0, to: columns, by: 8) {
            cvector_transpose(
                matrix + row * rowStride + column, Int64(rowStride), target + column * rows + row, Int64(rows))
        }
    }
}

/// Sixteen matrices, one for each place of a transformed tile, in panels.
struct PlacePanels {
    private let words: Tensor
    let depth: Int
    /// From a place to the next one, in words.
    let placeStride: Int

    init(channels: Int, depth: Int) {
        self.depth = depth
        // A line more for each place: sixteen streams at a power of two would share the lines of the cache.
        placeStride = channels * depth + 16
        words = Tensor([16, placeStride])
    }

    subscript(place: Int) -> UnsafeMutablePointer<Float> { words.pointer + place * placeStride }
}
