package import ImagePipeline
import NeuralNetwork
package import TensorCore

/// What a generator makes of one picture with a hole.
package struct FilledPicture {
    /// [H, W, 3] in −1…1: the picture as it was, and in the hole what was made for it.
    package let result: Tensor
    /// The coarse network's proposal, [H, W, 3].
    package let coarse: Tensor
    /// Where each place borrowed from; nil of a generator without attention.
    package let attention: RGBImage?
}

/// Fills holes in pictures of any size, one at a time.
package struct PictureFilling {
    package let generator: Generator
    private let convolutions = Convolutions()

    /// The longest side of a picture that is filled: attention compares every place with every other.
    package static let longestSide = 2048
    /// The shortest: less is no pixel after the generator's steps and dilations have passed, or less than is mirrored at the
    /// border of its most dilated layer, 16 pixels of maps of a quarter of the side.
    package static func shortestSide(_ dialect: InpaintingDialect) -> Int { dialect.border == .mirrored ? 65 : 16 }

    package init(_ generator: Generator) { self.generator = generator }

    /// - Parameter image: [H, W, 3] in −1…1; what lies in the hole is not looked at.
    package func fill(_ image: Tensor, _ mask: HoleMask) -> FilledPicture {
        let (height, width) = (mask.height, mask.width)
        precondition(image.shape == [height, width, 3], "a mask of \(height) × \(width) for a picture \(image.shape)")
        let (rows, columns) = (Self.roundedUp(height), Self.roundedUp(width))
        let output = generator.fill(
            image: Self.padded(image, rows: rows, columns: columns).reshaped([1, rows, columns, 3]),
            mask: Self.padded(mask.tensor, rows: rows, columns: columns).reshaped([1, rows, columns, 1]),
            Pass(mode: .evaluation, convolutions: convolutions))
        let result = Self.cropped(output.fine, height: height, width: width)
        for pixel in mask.holes.indices where !mask.holes[pixel] {
            for channel in 3 * pixel..<3 * pixel + 3 { result.floats[channel] = image.floats[channel] }
        }
        return FilledPicture(
            result: result, coarse: Self.cropped(output.coarse, height: height, width: width),
            attention: output.offsets.map { offsets in
                AttentionPicture.image(offsets, height: rows / 8, width: columns / 8, scale: 8)
                    .cropped(width: width, height: height)
            })
    }

    /// The generator's maps are smaller by 8.
    private static func roundedUp(_ side: Int) -> Int { (side + 7) / 8 * 8 }

    /// A map [H, W, C] that goes on beyond its lower and right edges as in a mirror.
    private static func padded(_ map: Tensor, rows: Int, columns: Int) -> Tensor {
        let (height, width, channels) = (map.shape[0], map.shape[1], map.shape[2])
        let result = Tensor([rows, columns, channels])
        func source(_ place: Int, _ count: Int) -> Int { place < count ? place : max(2 * count - 1 - place, 0) }
        for y in 0..<rows {
            for x in 0..<columns {
                let from = (source(y, height) * width + source(x, width)) * channels, to = (y * columns + x) * channels
                for channel in 0..<channels { result.floats[to + channel] = map.floats[from + channel] }
            }
        }
        return result
    }

    private static func cropped(_ map: Tensor, height: Int, width: Int) -> Tensor {
        let columns = map.shape[2], result = Tensor([height, width, 3])
        for y in 0..<height {
            result.view(offset: y * width * 3, shape: [width, 3]).copy(
                from: map.view(offset: y * columns * 3, shape: [width, 3]))
        }
        return result
    }
}

extension HoleMask {
    /// [height, width, 1]; 1 is hole.
    var tensor: Tensor { Tensor([height, width, 1], holes.map { $0 ? 1 : 0 }) }
}

extension RGBImage {
    /// Of a map [H, W, 3] in −1…1.
    package init(symmetric map: Tensor) {
        self.init(
            width: map.shape[1], height: map.shape[0],
            pixels: map.floats.map { UInt8(shade: ($0 + 1) / 2) })
    }

    /// The upper left part.
    func cropped(width: Int, height: Int) -> RGBImage {
        var part: [UInt8] = []
        for y in 0..<height { part += pixels[y * self.width * 3..<(y * self.width + width) * 3] }
        return RGBImage(width: width, height: height, pixels: part)
    }
}
