package import TensorCore

/// Which cells of two views of one image show the same place (PixPro, Eq. 1).
///
/// Few of all pairs are: they are kept as lists, so that maps of 28² cells take no more room than their matches.
package struct PositivePairs: Sendable {
    /// Cells of each map.
    package let cells: Int
    /// Positive pairs of each image.
    package let counts: [Int]
    private let lists: [Matches]

    /// An image's cells of the key that match: those of each cell of the query behind those of the cell before.
    private struct Matches {
        /// Where those of a cell begin, and the end of the last.
        var starts: [Int32] = [0]
        var cells: [Int32] = []
    }

    package var images: Int { counts.count }

    /// Boxes [N, 4] are (x0, y0, x1, y1) in the image, x0 > x1 where the view is flipped; both maps are rows × columns.
    ///
    /// Cells match when their centres' distance, divided by the larger of the two views' cell diagonals, is under
    /// `threshold`.
    package init(
        query: Tensor, key: Tensor, rows: Int, columns: Int, threshold: Double, inclusive: Bool
    ) {
        precondition(
            query.shape == key.shape && query.shape.last == 4, "boxes \(query.shape) and \(key.shape), expected [N, 4]")
        let cells = rows * columns
        lists = (0..<query.shape[0]).map { image in
            let a = CellGrid(query, image, rows, columns), b = CellGrid(key, image, rows, columns)
            let diagonal = max(a.diagonal, b.diagonal)
            var matches = Matches()
            for i in 0..<cells {
                for j in 0..<cells {
                    let dx = a.x[i % columns] - b.x[j % columns], dy = a.y[i / columns] - b.y[j / columns]
                    let distance = (dx * dx + dy * dy).squareRoot() / diagonal
                    if inclusive ? distance <= threshold : distance < threshold { matches.cells.append(Int32(j)) }
                }
                matches.starts.append(Int32(matches.cells.count))
            }
            return matches
        }
        (self.cells, counts) = (cells, lists.map(\.cells.count))
    }

    /// The cells of the key that match a cell of the query, in their order.
    package func matches(image: Int, cell: Int) -> ArraySlice<Int32> {
        let matches = lists[image]
        return matches.cells[Int(matches.starts[cell])..<Int(matches.starts[cell + 1])]
    }

    /// Some of an image's cells of the query against all of the key's: 1 where they match, else 0: [range, cells].
    package func mask(image: Int, cells range: Range<Int>) -> Tensor {
        let mask = Tensor.zeros([range.count, cells]), values = mask.floats
        for (row, cell) in range.enumerated() {
            for match in matches(image: image, cell: cell) { values[row * cells + Int(match)] = 1 }
        }
        return mask
    }

    /// Centres of a view's cells and the diagonal of one, in the image's normalised coordinates.
    private struct CellGrid {
        let x: [Double]
        let y: [Double]
        let diagonal: Double

        init(_ boxes: Tensor, _ image: Int, _ rows: Int, _ columns: Int) {
            let box = (0..<4).map { Double(boxes.floats[image * 4 + $0]) }
            let width = (box[2] - box[0]) / Double(columns), height = (box[3] - box[1]) / Double(rows)
            x = (0..<columns).map { box[0] + (Double($0) + 0.5) * width }
            y = (0..<rows).map { box[1] + (Double($0) + 0.5) * height }
            diagonal = (width * width + height * height).squareRoot()
        }
    }
}
