/// A picture in memory: rows of interleaved RGB bytes.
package struct RGBImage: Sendable, Equatable {
    package let width: Int
    package let height: Int
    package var pixels: [UInt8]

    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * 3, "\(pixels.count) bytes for \(width)×\(height) RGB")
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }
}

extension RGBImage {
    /// Pictures of one height beside each other, with a white line between.
    package static func row(_ pictures: [RGBImage]) -> RGBImage {
        let gap = [UInt8](repeating: 255, count: 3 * 4), height = pictures[0].height
        precondition(pictures.allSatisfy { $0.height == height }, "a row of heights \(pictures.map(\.height))")
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

extension UInt8 {
    /// A colour's byte of its share of full intensity, 0…1: beyond that it is cut off, and what is no number is black.
    package init(shade share: Float) {
        // A minimum and a maximum would let what is no number through, which no byte can be made of.
        self = share > 0 ? UInt8((255 * Swift.min(share, 1)).rounded()) : 0
    }
}

/// A rectangle of pixels.
package struct PixelRegion: Sendable, Equatable {
    package var x: Int
    package var y: Int
    package var width: Int
    package var height: Int

    package init(x: Int, y: Int, width: Int, height: Int) {
        (self.x, self.y, self.width, self.height) = (x, y, width, height)
    }

    /// The smallest region that holds both.
    func union(_ other: PixelRegion) -> PixelRegion {
        let left = min(x, other.x), top = min(y, other.y)
        return PixelRegion(
            x: left, y: top, width: max(x + width, other.x + other.width) - left,
            height: max(y + height, other.y + other.height) - top)
    }
}

/// A part of a picture, decoded at a fraction of its size.
package struct DecodedRegion: Sendable {
    package let image: RGBImage
    /// Where the image's top left corner lies, in pixels of the whole upright picture.
    package let originX: Double
    package let originY: Double
    /// Decoded pixels per pixel of the whole picture, along each axis: about 1, 1/2, 1/4 or 1/8.
    package let scaleX: Double
    package let scaleY: Double

    package init(image: RGBImage, originX: Double, originY: Double, scaleX: Double, scaleY: Double) {
        (self.image, self.originX, self.originY) = (image, originX, originY)
        (self.scaleX, self.scaleY) = (scaleX, scaleY)
    }
}

/// An image that cannot be used, and why; whoever knows the file adds its name.
package struct ImageError: Error, Sendable, CustomStringConvertible {
    package let reason: String
    package var description: String { reason }

    package init(_ reason: String) { self.reason = reason }

    /// What a network makes of an image is no picture: `what` names it.
    package init(notFinite what: String) {
        self.init(
            "cannot be looked at: the network's \(what) are not finite numbers; its training may have diverged: take an "
                + "earlier checkpoint")
    }
}
