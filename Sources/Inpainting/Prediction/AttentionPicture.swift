import Foundation
package import ImagePipeline

/// Where each place of a picture borrowed from, as a colour.
///
/// White is itself, green the top right, pink the bottom left, as the article's legend: hue 165° less the angle of the
/// direction, saturation by the distance as a share of the map's longer side.
package enum AttentionPicture {
    /// - Parameters:
    ///   - offsets: for each place of the map [height, width], row by row, rows down and columns right to the best patch.
    ///   - scale: pixels of the picture to a place, each way.
    package static func image(
        _ offsets: [(rows: Int, columns: Int)], height: Int, width: Int, scale: Int
    ) -> RGBImage {
        precondition(offsets.count == height * width, "\(offsets.count) offsets for a map of \(height) × \(width)")
        var pixels: [UInt8] = []
        pixels.reserveCapacity(3 * height * width * scale * scale)
        for y in 0..<height {
            var row: [UInt8] = []
            for x in 0..<width {
                let color = color(offsets[y * width + x], reach: max(height, width))
                for _ in 0..<scale { row += color }
            }
            for _ in 0..<scale { pixels += row }
        }
        return RGBImage(width: width * scale, height: height * scale, pixels: pixels)
    }

    private static func color(_ offset: (rows: Int, columns: Int), reach: Int) -> [UInt8] {
        let (down, right) = (Double(offset.rows), Double(offset.columns))
        let turn = (165 - atan2(-down, right) * 180 / .pi).truncatingRemainder(dividingBy: 360)
        let hue = (turn < 0 ? turn + 360 : turn) / 60, saturation = min(hypot(down, right) / Double(reach), 1)
        return [5.0, 3.0, 1.0].map { corner in
            let at = (corner + hue).truncatingRemainder(dividingBy: 6)
            let value = 1 - saturation * min(max(min(at, 4 - at), 0), 1)
            return UInt8((255 * value).rounded())
        }
    }
}
