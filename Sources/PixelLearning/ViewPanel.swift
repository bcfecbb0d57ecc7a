package import ImagePipeline
import NeuralNetwork
import TensorCore

/// Two views of a picture as training sees them, beside each other, with the cells that show the same place.
///
/// A cell that matches one of the other view is framed in the colour of its place in the picture, so that matching cells
/// have nearly the same; cells without a match are darkened.
package struct ViewPanel {
    private let views: TwoViewBatch
    private let normalization: PixelNormalization
    /// Cells along a side.
    private let side: Int
    private let threshold: Double
    private let isInclusive: Bool

    /// Of a view in the panel, in pixels: a view is enlarged by a whole number as far as it stays below.
    private static let longestSide = 256
    /// Width of a cell's frame, in pixels of the panel.
    private static let frame = 3
    private static let darkening: Float = 0.35

    /// - Parameters:
    ///   - views: of one picture.
    ///   - model: whose matches are shown, those of its coarsest map.
    package init(_ views: TwoViewBatch, _ normalization: PixelNormalization, _ model: PixelModelSettings) {
        precondition(views.view1.shape[0] == 1, "views of \(views.view1.shape[0]) pictures, expected one's")
        (self.views, self.normalization) = (views, normalization)
        side = model.levels.map { $0.cells(views.view1.shape[1]) }.min()!
        (threshold, isInclusive) = (model.threshold, model.dialect.thresholdIsInclusive)
    }

    package var image: RGBImage {
        RGBImage.row([
            panel(views.view1, box: views.box1, matched: matched(query: views.box1, key: views.box2)),
            panel(views.view2, box: views.box2, matched: matched(query: views.box2, key: views.box1)),
        ])
    }

    /// Which cells of the query's view match one of the key's.
    private func matched(query: Tensor, key: Tensor) -> [Bool] {
        let pairs = PositivePairs(
            query: query, key: key, rows: side, columns: side, threshold: threshold, inclusive: isInclusive)
        return (0..<side * side).map { !pairs.matches(image: 0, cell: $0).isEmpty }
    }

    private func panel(_ view: Tensor, box: Tensor, matched: [Bool]) -> RGBImage {
        let size = view.shape[1], scale = max(Self.longestSide / size, 1), whole = size * scale
        let values = view.floats
        var pixels = [UInt8](repeating: 0, count: whole * whole * 3)
        for y in 0..<whole {
            for x in 0..<whole {
                let row = y * side / whole, column = x * side / whole, cell = row * side + column
                var color = SIMD3<Float>()
                for c in 0..<3 { color[c] = values[((y / scale) * size + x / scale) * 3 + c] }
                color = color * normalization.deviation + normalization.mean
                if !matched[cell] {
                    color *= Self.darkening
                } else if isFrame(x, whole) || isFrame(y, whole) {
                    color = placeColor(box, row: row, column: column)
                }
                for c in 0..<3 { pixels[(y * whole + x) * 3 + c] = UInt8(shade: color[c]) }
            }
        }
        return RGBImage(width: whole, height: whole, pixels: pixels)
    }

    /// Whether a coordinate of the panel lies at the edge of a cell.
    private func isFrame(_ place: Int, _ whole: Int) -> Bool {
        let cell = place * side / whole
        let first = (cell * whole + side - 1) / side, end = ((cell + 1) * whole + side - 1) / side
        return place < first + Self.frame || place >= end - Self.frame
    }

    /// Red to the right, green downwards, blue where both are small.
    private func placeColor(_ box: Tensor, row: Int, column: Int) -> SIMD3<Float> {
        let b = box.floats
        let x = b[0] + (Float(column) + 0.5) / Float(side) * (b[2] - b[0])
        let y = b[1] + (Float(row) + 0.5) / Float(side) * (b[3] - b[1])
        return SIMD3(x, y, 1 - (x + y) / 2)
    }
}
