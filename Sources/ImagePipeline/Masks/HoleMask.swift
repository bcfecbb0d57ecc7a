/// Which pixels of a picture are to be filled.
package struct HoleMask: Sendable, Equatable {
    package let height, width: Int
    /// Row by row; true is hole.
    package private(set) var holes: [Bool]

    package init(height: Int, width: Int, holes: [Bool]) {
        precondition(holes.count == height * width, "\(holes.count) pixels for a mask of \(height) × \(width)")
        (self.height, self.width, self.holes) = (height, width, holes)
    }

    /// Without a hole.
    package init(height: Int, width: Int) {
        self.init(height: height, width: width, holes: [Bool](repeating: false, count: height * width))
    }

    package subscript(y: Int, x: Int) -> Bool {
        get { holes[y * width + x] }
        set { holes[y * width + x] = newValue }
    }

    /// Pixels of the hole.
    package var area: Int { holes.count { $0 } }

    /// What a window holds.
    package func cropped(_ window: PixelWindow) -> HoleMask {
        var result = HoleMask(height: window.height, width: window.width)
        for y in 0..<window.height {
            for x in 0..<window.width { result[y, x] = self[window.top + y, window.left + x] }
        }
        return result
    }

    /// At another size, each pixel that of the nearest centre.
    package func resized(height: Int, width: Int) -> HoleMask {
        var result = HoleMask(height: height, width: width)
        for y in 0..<height {
            let row = (2 * y + 1) * self.height / (2 * height)
            for x in 0..<width { result[y, x] = self[row, (2 * x + 1) * self.width / (2 * width)] }
        }
        return result
    }

    /// Half the sides around the middle of the hole's bounding box, kept inside the picture: what a critic of one size looks
    /// at where the hole has any form.
    package var window: PixelWindow {
        var rows: (Int, Int)?, columns: (Int, Int)?
        for y in 0..<height {
            for x in 0..<width where self[y, x] {
                rows = (min(rows?.0 ?? y, y), y)
                columns = (min(columns?.0 ?? x, x), max(columns?.1 ?? x, x))
            }
        }
        func start(_ extent: (Int, Int)?, _ side: Int) -> Int {
            let middle = extent.map { ($0.0 + $0.1 + 1) / 2 } ?? side / 2
            return min(max(middle - side / 4, 0), side - side / 2)
        }
        return PixelWindow(
            top: start(rows, height), left: start(columns, width), height: height / 2, width: width / 2)
    }
}

extension HoleMask {
    /// Of a PNG or JPEG: white is hole, black is known, at the picture's upright size.
    ///
    /// Throws an `ImageError` for what is no mask: a picture with transparency, one with many gray tones, and a mask
    /// without a hole or without anything else.
    package init(_ bytes: [UInt8]) throws {
        if try ImageDecoder.hasTransparency(bytes) {
            throw ImageError("has transparency; a mask is white where the hole is, and black elsewhere")
        }
        let picture = try ImageDecoder.decode(bytes)
        var tones = 0
        let holes = [Bool](unsafeUninitializedCapacity: picture.width * picture.height) { holes, count in
            for pixel in 0..<picture.width * picture.height {
                let rgb = (0..<3).map { Int(picture.pixels[3 * pixel + $0]) }
                let gray = (299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2]) / 1000
                holes[pixel] = gray >= 128
                if (48..<208).contains(gray) { tones += 1 }
            }
            count = picture.width * picture.height
        }
        self.init(height: picture.height, width: picture.width, holes: holes)
        // Edges that a drawing program smoothed are few.
        guard tones * 10 <= holes.count else {
            throw ImageError("has gray tones all over; a mask is white where the hole is, and black elsewhere")
        }
        let area = area
        guard area > 0 else { throw ImageError("has no white pixel: a mask is white where the hole is") }
        guard area < holes.count else { throw ImageError("is white everywhere: nothing would be known of the picture") }
    }
}
