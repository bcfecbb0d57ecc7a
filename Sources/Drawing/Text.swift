extension Canvas {
    /// Side of a font pixel; `scale` 2 is the size for labels.
    package static func textWidth(_ text: String, scale: Int = 2) -> Int {
        max(0, text.unicodeScalars.count * 6 - 1) * scale
    }

    /// Height of capital letters in pixels.
    package static func textHeight(scale: Int = 2) -> Int { 7 * scale }

    package enum Alignment: Sendable {
        case left, center, right
    }

    /// Writes printable ASCII (others come out as "?"); `y` is the top of the capitals.
    ///
    /// - Parameter alignment: whether the text starts at `x`, has its middle there, or ends there.
    package mutating func text(
        _ text: String, x: Int, y: Int, _ color: Color = .ink, scale: Int = 2, alignment: Alignment = .left
    ) {
        var left = x
        switch alignment {
        case .left: break
        case .center: left -= Canvas.textWidth(text, scale: scale) / 2
        case .right: left -= Canvas.textWidth(text, scale: scale)
        }
        for scalar in text.unicodeScalars {
            glyph(Font.rows(of: scalar), x: left, y: y, color, scale: scale)
            left += 6 * scale
        }
    }

    /// Draws a glyph with its stair steps softened: half-covered corners where two diagonal pixels meet.
    private mutating func glyph(_ rows: [UInt8], x: Int, y: Int, _ color: Color, scale: Int) {
        func isSet(_ column: Int, _ row: Int) -> Bool {
            row >= 0 && row < rows.count && column >= 0 && column < 5 && rows[row] & (16 >> UInt8(column)) != 0
        }
        for row in 0..<rows.count {
            for column in 0..<5 {
                let (left, top) = (x + column * scale, y + row * scale)
                if isSet(column, row) {
                    fill(color, x: left..<left + scale, y: top..<top + scale)
                } else if scale > 1 {
                    for (dx, dy) in [(-1, -1), (1, -1), (-1, 1), (1, 1)]
                    where isSet(column + dx, row) && isSet(column, row + dy) && !isSet(column + dx, row + dy) {
                        corner(color, left: left, top: top, scale: scale, dx: dx, dy: dy)
                    }
                }
            }
        }
    }

    /// The triangle that joins two diagonal neighbours, in an empty font pixel.
    private mutating func corner(_ color: Color, left: Int, top: Int, scale: Int, dx: Int, dy: Int) {
        for i in 0..<scale {
            for j in 0..<scale where i + j < scale {
                let x = dx < 0 ? left + i : left + scale - 1 - i
                let y = dy < 0 ? top + j : top + scale - 1 - j
                blend(color, x, y, opacity: i + j == scale - 1 ? 0.25 : 0.6)
            }
        }
    }
}

/// A bitmap font of 5 x 7 pixels, with two more rows for descenders.
enum Font {
    /// Nine rows from the top; bit 4 is the leftmost pixel.
    static func rows(of scalar: Unicode.Scalar) -> [UInt8] {
        let index = Int(scalar.value) - 0x20
        return glyphs[glyphs.indices.contains(index) ? index : 0x3f - 0x20]
    }

    /// One glyph per line from space to tilde; a row is two hexadecimal digits.
    private static let glyphs: [[UInt8]] = """
        00 00 00 00 00 00 00 00 00
        04 04 04 04 04 00 04 00 00
        0a 0a 0a 00 00 00 00 00 00
        0a 0a 1f 0a 1f 0a 0a 00 00
        04 0f 14 0e 05 1e 04 00 00
        18 19 02 04 08 13 03 00 00
        0c 12 14 08 15 12 0d 00 00
        04 04 08 00 00 00 00 00 00
        02 04 08 08 08 04 02 00 00
        08 04 02 02 02 04 08 00 00
        00 04 15 0e 15 04 00 00 00
        00 04 04 1f 04 04 00 00 00
        00 00 00 00 00 0c 0c 04 08
        00 00 00 1f 00 00 00 00 00
        00 00 00 00 00 0c 0c 00 00
        01 01 02 04 08 10 10 00 00
        0e 11 13 15 19 11 0e 00 00
        04 0c 04 04 04 04 0e 00 00
        0e 11 01 02 04 08 1f 00 00
        1f 02 04 02 01 11 0e 00 00
        02 06 0a 12 1f 02 02 00 00
        1f 10 1e 01 01 11 0e 00 00
        06 08 10 1e 11 11 0e 00 00
        1f 01 02 04 08 08 08 00 00
        0e 11 11 0e 11 11 0e 00 00
        0e 11 11 0f 01 02 0c 00 00
        00 0c 0c 00 0c 0c 00 00 00
        00 0c 0c 00 0c 0c 04 08 00
        02 04 08 10 08 04 02 00 00
        00 00 1f 00 1f 00 00 00 00
        08 04 02 01 02 04 08 00 00
        0e 11 01 02 04 00 04 00 00
        0e 11 17 15 17 10 0e 00 00
        0e 11 11 1f 11 11 11 00 00
        1e 11 11 1e 11 11 1e 00 00
        0e 11 10 10 10 11 0e 00 00
        1c 12 11 11 11 12 1c 00 00
        1f 10 10 1e 10 10 1f 00 00
        1f 10 10 1e 10 10 10 00 00
        0e 11 10 17 11 11 0f 00 00
        11 11 11 1f 11 11 11 00 00
        0e 04 04 04 04 04 0e 00 00
        07 02 02 02 02 12 0c 00 00
        11 12 14 18 14 12 11 00 00
        10 10 10 10 10 10 1f 00 00
        11 1b 15 15 11 11 11 00 00
        11 11 19 15 13 11 11 00 00
        0e 11 11 11 11 11 0e 00 00
        1e 11 11 1e 10 10 10 00 00
        0e 11 11 11 15 12 0d 00 00
        1e 11 11 1e 14 12 11 00 00
        0f 10 10 0e 01 01 1e 00 00
        1f 04 04 04 04 04 04 00 00
        11 11 11 11 11 11 0e 00 00
        11 11 11 11 11 0a 04 00 00
        11 11 11 15 15 15 0a 00 00
        11 11 0a 04 0a 11 11 00 00
        11 11 11 0a 04 04 04 00 00
        1f 01 02 04 08 10 1f 00 00
        0e 08 08 08 08 08 0e 00 00
        10 10 08 04 02 01 01 00 00
        0e 02 02 02 02 02 0e 00 00
        04 0a 11 00 00 00 00 00 00
        00 00 00 00 00 00 00 1f 00
        08 04 02 00 00 00 00 00 00
        00 00 0e 01 0f 11 0f 00 00
        10 10 16 19 11 11 1e 00 00
        00 00 0e 10 10 11 0e 00 00
        01 01 0d 13 11 11 0f 00 00
        00 00 0e 11 1f 10 0e 00 00
        06 09 08 1c 08 08 08 00 00
        00 00 0f 11 11 11 0f 01 0e
        10 10 16 19 11 11 11 00 00
        04 00 0c 04 04 04 0e 00 00
        02 00 06 02 02 02 02 12 0c
        10 10 12 14 18 14 12 00 00
        0c 04 04 04 04 04 0e 00 00
        00 00 1a 15 15 11 11 00 00
        00 00 16 19 11 11 11 00 00
        00 00 0e 11 11 11 0e 00 00
        00 00 1e 11 11 11 1e 10 10
        00 00 0f 11 11 11 0f 01 01
        00 00 16 19 10 10 10 00 00
        00 00 0e 10 0e 01 1e 00 00
        08 08 1c 08 08 09 06 00 00
        00 00 11 11 11 13 0d 00 00
        00 00 11 11 11 0a 04 00 00
        00 00 11 11 15 15 0a 00 00
        00 00 11 0a 04 0a 11 00 00
        00 00 11 11 11 11 0f 01 0e
        00 00 1f 02 04 08 1f 00 00
        02 04 04 08 04 04 02 00 00
        04 04 04 04 04 04 04 04 00
        08 04 04 02 04 04 08 00 00
        00 00 08 15 02 00 00 00 00
        """.split(separator: "\n").map { line in line.split(separator: " ").map { UInt8($0, radix: 16)! } }
}
