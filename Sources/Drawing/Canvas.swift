/// A colour of 8 bits per channel.
package struct Color: Sendable, Equatable {
    package var red: UInt8
    package var green: UInt8
    package var blue: UInt8

    /// From 0xRRGGBB.
    package init(_ hexadecimal: UInt32) {
        red = UInt8(hexadecimal >> 16 & 0xff)
        green = UInt8(hexadecimal >> 8 & 0xff)
        blue = UInt8(hexadecimal & 0xff)
    }

    package static let white = Color(0xffffff)
    package static let ink = Color(0x262b33)

    /// Distinguishable lines, also for most colour-blind readers (after Okabe and Ito).
    package static let series = [0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9].map { Color($0) }
}

/// A picture of RGB pixels, row after row from the top left.
package struct Canvas: Sendable, Equatable {
    package let width: Int
    package let height: Int
    /// width · height · 3 bytes.
    package private(set) var pixels: [UInt8]

    package init(width: Int, height: Int, background: Color = .white) {
        precondition(width > 0 && height > 0, "a canvas of \(width) x \(height)")
        self.width = width
        self.height = height
        pixels = []
        pixels.reserveCapacity(width * height * 3)
        for _ in 0..<width * height { pixels += [background.red, background.green, background.blue] }
    }

    /// A picture of interleaved RGB bytes to draw on.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * 3, "\(pixels.count) bytes for \(width)×\(height) RGB")
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    package subscript(x: Int, y: Int) -> Color {
        let offset = (y * width + x) * 3
        return Color(UInt32(pixels[offset]) << 16 | UInt32(pixels[offset + 1]) << 8 | UInt32(pixels[offset + 2]))
    }

    /// Mixes a colour in; `opacity` 1 replaces the pixel. Outside the canvas nothing happens.
    package mutating func blend(_ color: Color, _ x: Int, _ y: Int, opacity: Float = 1) {
        guard x >= 0, y >= 0, x < width, y < height, opacity > 0 else { return }
        let offset = (y * width + x) * 3
        func mix(_ old: UInt8, _ new: UInt8) -> UInt8 {
            UInt8((Float(old) + (Float(new) - Float(old)) * min(1, opacity)).rounded())
        }
        pixels[offset] = mix(pixels[offset], color.red)
        pixels[offset + 1] = mix(pixels[offset + 1], color.green)
        pixels[offset + 2] = mix(pixels[offset + 2], color.blue)
    }

    package mutating func fill(_ color: Color, x: Range<Int>, y: Range<Int>, opacity: Float = 1) {
        for row in y { for column in x { blend(color, column, row, opacity: opacity) } }
    }
}

/// A place on a canvas; pixel (i, j) covers i..<i+1 and j..<j+1.
package struct Point: Sendable, Equatable {
    package var x: Double
    package var y: Double

    package init(_ x: Double, _ y: Double) { (self.x, self.y) = (x, y) }
}

extension Canvas {
    /// Draws an anti-aliased line through the points, `thickness` pixels wide, with round joints.
    package mutating func polyline(
        _ points: [Point], _ color: Color, thickness: Double = 2, opacity: Float = 1
    ) {
        // Coverage is collected first and blended once: joints and overlaps must not come out darker.
        var coverage = [Float](repeating: 0, count: width * height)
        var touched: [Int] = []
        for (start, end) in zip(points, points.dropFirst()) {
            cover(from: start, to: end, reach: thickness / 2, &coverage, &touched)
        }
        for index in touched { blend(color, index % width, index / width, opacity: coverage[index] * opacity) }
    }

    /// A filled circle.
    package mutating func dot(_ center: Point, _ color: Color, radius: Double) {
        polyline([center, center], color, thickness: 2 * radius)
    }

    private func cover(
        from a: Point, to b: Point, reach: Double, _ coverage: inout [Float], _ touched: inout [Int]
    ) {
        let margin = reach + 1
        let left = max(0, Int((min(a.x, b.x) - margin).rounded(.down)))
        let right = min(width - 1, Int((max(a.x, b.x) + margin).rounded(.up)))
        let top = max(0, Int((min(a.y, b.y) - margin).rounded(.down)))
        let bottom = min(height - 1, Int((max(a.y, b.y) + margin).rounded(.up)))
        guard left <= right, top <= bottom else { return }
        let (dx, dy) = (b.x - a.x, b.y - a.y)
        let squaredLength = dx * dx + dy * dy
        for y in top...bottom {
            for x in left...right {
                let (px, py) = (Double(x) + 0.5 - a.x, Double(y) + 0.5 - a.y)
                let along = squaredLength > 0 ? min(1, max(0, (px * dx + py * dy) / squaredLength)) : 0
                let (ex, ey) = (px - along * dx, py - along * dy)
                let share = Float(min(1, max(0, reach + 0.5 - (ex * ex + ey * ey).squareRoot())))
                let index = y * width + x
                if share > coverage[index] {
                    if coverage[index] == 0 { touched.append(index) }
                    coverage[index] = share
                }
            }
        }
    }
}
