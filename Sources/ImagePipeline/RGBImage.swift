/// A picture in memory: rows of interleaved RGB bytes.
public struct RGBImage: Sendable, Equatable {
    public let width: Int
    public let height: Int
    public var pixels: [UInt8]

    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * 3, "\(pixels.count) bytes for \(width)×\(height) RGB")
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }
}

/// A rectangle of pixels.
public struct PixelRegion: Sendable, Equatable {
    public var x: Int
    public var y: Int
    public var width: Int
    public var height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
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
public struct DecodedRegion: Sendable {
    public let image: RGBImage
    /// Where the image's top left corner lies, in pixels of the whole upright picture.
    public let originX: Double
    public let originY: Double
    /// Decoded pixels per pixel of the whole picture, along each axis: about 1, 1/2, 1/4 or 1/8.
    public let scaleX: Double
    public let scaleY: Double

    public init(image: RGBImage, originX: Double, originY: Double, scaleX: Double, scaleY: Double) {
        (self.image, self.originX, self.originY) = (image, originX, originY)
        (self.scaleX, self.scaleY) = (scaleX, scaleY)
    }
}

/// An image that cannot be used, and why; whoever knows the file adds its name.
public struct ImageError: Error, Sendable, CustomStringConvertible {
    public let reason: String
    public var description: String { reason }

    public init(_ reason: String) { self.reason = reason }
}
