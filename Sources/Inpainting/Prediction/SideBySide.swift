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
        return row(parts + (filled.attention.map { [$0] } ?? []))
    }

    /// Pictures of one height beside each other, with a white line between.
    private static func row(_ pictures: [RGBImage]) -> RGBImage {
        let gap = [UInt8](repeating: 255, count: 3 * 4), height = pictures[0].height
        var pixels: [UInt8] = []
        for y in 0..<height {
            for (place, picture) in pictures.enumerated() {
                if place > 0 { pixels += gap }
                pixels += picture.pixels[y * picture.width * 3..<(y + 1) * picture.width * 3]
            }
        }
        return RGBImage(width: pixels.count / (3 * height), height: height, pixels: pixels)
    }
}
