package import TensorCore

/// Which cells of two views of one image show the same place (PixPro, Eq. 1).
package struct PositivePairs {
    /// For each image a matrix [cells of the query, cells of the key] of 1 and 0: [N, P, P].
    package let mask: Tensor
    /// Positive pairs of each image.
    package let counts: [Int]

    /// Boxes [N, 4] are (x0, y0, x1, y1) in the image, x0 > x1 where the view is flipped; both maps are rows × columns.
    ///
    /// Cells match when their centres' distance, divided by the larger of the two views' cell diagonals, is under
    /// `threshold`.
    package init(
        query: Tensor, key: Tensor, rows: Int, columns: Int, threshold: Double, inclusive: Bool
    ) {
        precondition(
            query.shape == key.shape && query.shape.last == 4, "boxes \(query.shape) and \(key.shape), expected [N, 4]")
        let images = query.shape[0], cells = rows * columns
        mask = Tensor([images, cells, cells])
        var counts = [Int](repeating: 0, count: images)
        let values = mask.floats
        for image in 0..<images {
            let a = CellGrid(query, image, rows, columns), b = CellGrid(key, image, rows, columns)
            let diagonal = max(a.diagonal, b.diagonal)
            for i in 0..<cells {
                for j in 0..<cells {
                    let dx = a.x[i % columns] - b.x[j % columns], dy = a.y[i / columns] - b.y[j / columns]
                    let distance = (dx * dx + dy * dy).squareRoot() / diagonal
                    let matches = inclusive ? distance <= threshold : distance < threshold
                    values[(image * cells + i) * cells + j] = matches ? 1 : 0
                    counts[image] += matches ? 1 : 0
                }
            }
        }
        self.counts = counts
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
