/// How stored pixels must be turned to stand upright: EXIF's orientation, 1 to 8.
package struct Orientation: Sendable, Equatable {
    package let value: Int

    package init(value: Int) { self.value = value }

    /// Whether rows of the stored picture become columns.
    package var transposes: Bool { value >= 5 }
    /// Whether stored columns, then rows, run backwards in the upright picture (before any transposition).
    package var mirrorsX: Bool { [2, 3, 7, 8].contains(value) }
    package var mirrorsY: Bool { [3, 4, 6, 7].contains(value) }

    /// The upright size of a stored picture.
    func upright(_ width: Int, _ height: Int) -> (width: Int, height: Int) {
        transposes ? (height, width) : (width, height)
    }

    /// Where an upright region lies in the stored picture of the given size.
    func stored(_ region: PixelRegion, width: Int, height: Int) -> PixelRegion {
        var result = region
        if transposes {
            result = PixelRegion(x: region.y, y: region.x, width: region.height, height: region.width)
        }
        if mirrorsX { result.x = width - result.x - result.width }
        if mirrorsY { result.y = height - result.y - result.height }
        return result
    }

    /// The inverse of `stored`.
    func upright(_ region: PixelRegion, width: Int, height: Int) -> PixelRegion {
        var result = region
        if mirrorsX { result.x = width - result.x - result.width }
        if mirrorsY { result.y = height - result.y - result.height }
        guard transposes else { return result }
        return PixelRegion(x: result.y, y: result.x, width: result.height, height: result.width)
    }

    /// The upright picture of stored pixels.
    func turned(_ image: RGBImage) -> RGBImage {
        guard value > 1 else { return image }
        let (width, height) = upright(image.width, image.height)
        let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { target, count in
            image.pixels.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    for x in 0..<width {
                        var column = transposes ? y : x, row = transposes ? x : y
                        if mirrorsX { column = image.width - 1 - column }
                        if mirrorsY { row = image.height - 1 - row }
                        let from = (row * image.width + column) * 3, to = (y * width + x) * 3
                        for channel in 0..<3 { target[to + channel] = source[from + channel] }
                    }
                }
            }
            count = width * height * 3
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }
}
