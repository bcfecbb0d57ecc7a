import ImagePipeline
import TensorCore

/// The truth, the input, the coarse proposal, the result and its attention, in a row.
enum SideBySide {
    /// - Parameter truth: [H, W, 3] in −1…1.
    static func image(truth: Tensor, mask: HoleMask, filled: FilledPicture) -> RGBImage {
        let input = truth.copy()
        for pixel in mask.holes.indices where mask.holes[pixel] {
            for channel in 3 * pixel..<3 * pixel + 3 { input.floats[channel] = 1 }
        }
        let parts = [truth, input, filled.coarse, filled.result].map { RGBImage(symmetric: $0) }
        return RGBImage.row(parts + (filled.attention.map { [$0] } ?? []))
    }
}
