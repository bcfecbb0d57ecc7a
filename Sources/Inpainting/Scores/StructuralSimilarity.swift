import Foundation
package import TensorCore

/// The structural similarity of two pictures around each pixel (Wang et al., IEEE TIP 2004): means, deviations and
/// covariance under a Gaussian of 1.5 px, 11 px wide, constants (0.01)² and (0.03)² of values in 0…1, the mean of three
/// channels. Pictures go on beyond their edges as in a mirror, so that every pixel has a value.
package struct StructuralSimilarity {
    /// Row by row, 1 where the pictures are alike.
    package let map: [Double]

    private static let radius = 5
    private static let weights: [Double] = {
        let raw = (-radius...radius).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
        let sum = raw.reduce(0, +)
        return raw.map { $0 / sum }
    }()

    /// - Parameters: a, b: [H, W, 3] in −1…1.
    package init(_ a: Tensor, _ b: Tensor) {
        precondition(a.shape == b.shape && a.shape.count == 3 && a.shape[2] == 3, "pictures \(a.shape) and \(b.shape)")
        let (height, width) = (a.shape[0], a.shape[1])
        var map = [Double](repeating: 0, count: height * width)
        for channel in 0..<3 {
            func plane(_ image: Tensor) -> [Double] {
                (0..<height * width).map { (Double(image.floats[3 * $0 + channel]) + 1) / 2 }
            }
            func blurred(_ values: [Double]) -> [Double] { Self.blurred(values, height: height, width: width) }
            let x = plane(a), y = plane(b)
            let meanX = blurred(x), meanY = blurred(y)
            let squareX = blurred(zip(x, x).map(*)), squareY = blurred(zip(y, y).map(*)),
                product = blurred(zip(x, y).map(*))
            for i in map.indices {
                let varianceX = squareX[i] - meanX[i] * meanX[i], varianceY = squareY[i] - meanY[i] * meanY[i]
                let covariance = product[i] - meanX[i] * meanY[i]
                let (c1, c2) = (0.01 * 0.01, 0.03 * 0.03)
                map[i] +=
                    (2 * meanX[i] * meanY[i] + c1) * (2 * covariance + c2)
                    / ((meanX[i] * meanX[i] + meanY[i] * meanY[i] + c1) * (varianceX + varianceY + c2)) / 3
            }
        }
        self.map = map
    }

    /// Along columns, then along rows.
    private static func blurred(_ values: [Double], height: Int, width: Int) -> [Double] {
        var along = [Double](repeating: 0, count: values.count), result = along
        for y in 0..<height {
            for (tap, weight) in weights.enumerated() {
                let source = mirrored(y + tap - radius, height) * width
                for x in 0..<width { along[y * width + x] += weight * values[source + x] }
            }
        }
        let columns = (0..<width).map { x in weights.indices.map { mirrored(x + $0 - radius, width) } }
        for y in 0..<height {
            for x in 0..<width {
                var sum = 0.0
                for (tap, weight) in weights.enumerated() { sum += weight * along[y * width + columns[x][tap]] }
                result[y * width + x] = sum
            }
        }
        return result
    }

    /// c b a | a b c | c b a: a place beyond an edge.
    private static func mirrored(_ place: Int, _ count: Int) -> Int {
        let turn = ((place % (2 * count)) + 2 * count) % (2 * count)
        return turn < count ? turn : 2 * count - 1 - turn
    }
}
