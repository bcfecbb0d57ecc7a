package import ImagePipeline
package import TensorCore

/// Fills that take no learning: what a network must be better than.
package enum SimpleFill: String, CaseIterable, Sendable {
    /// The mean colour of the known pixels.
    case meanColor = "mean colour"
    /// The colour of the known pixel that lies nearest.
    case nearestPixel = "nearest pixel"

    /// The picture with its hole filled.
    ///
    /// - Parameter image: [H, W, 3]; what lies in the hole is not looked at.
    package func fill(_ image: Tensor, _ mask: HoleMask) -> Tensor {
        precondition(
            image.shape == [mask.height, mask.width, 3], "a mask of \(mask.height) × \(mask.width) for \(image.shape)")
        let result = image.copy(), pixels = result.floats
        switch self {
        case .meanColor:
            var sums = SIMD3<Double>(), known = 0
            for pixel in mask.holes.indices where !mask.holes[pixel] {
                for channel in 0..<3 { sums[channel] += Double(pixels[3 * pixel + channel]) }
                known += 1
            }
            let color = sums / Double(max(known, 1))
            for pixel in mask.holes.indices where mask.holes[pixel] {
                for channel in 0..<3 { pixels[3 * pixel + channel] = Float(color[channel]) }
            }
        case .nearestPixel:
            let nearest = NearestKnown(mask)
            for pixel in mask.holes.indices where mask.holes[pixel] {
                guard let known = nearest.places[pixel] else { continue }
                for channel in 0..<3 { pixels[3 * pixel + channel] = pixels[3 * known + channel] }
            }
        }
        return result
    }
}
