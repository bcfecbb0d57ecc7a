/// An uncompressed PNG file of any colour type and depth, made without the program's own writer.
package struct PlainPNG {
    /// With PNG's own numbers.
    package enum ColorType: UInt8, CaseIterable, Sendable {
        case gray = 0
        case rgb = 2
        case palette = 3
        case grayAlpha = 4
        case rgbAlpha = 6

        package var samples: Int {
            switch self {
            case .gray, .palette: 1
            case .grayAlpha: 2
            case .rgb: 3
            case .rgbAlpha: 4
            }
        }
    }

    package var width: Int
    package var height: Int
    package var color: ColorType
    /// Of a sample: 1, 2, 4, 8 or 16, as far as the colour type has them.
    package var bits: Int
    package var isInterlaced = false
    /// Row by row, the samples of a pixel one after the other.
    package var samples: [Int]

    package init(_ width: Int, _ height: Int, _ color: ColorType, bits: Int = 8, _ samples: [Int]) {
        precondition(samples.count == width * height * color.samples, "\(samples.count) samples")
        (self.width, self.height, self.color, self.bits, self.samples) = (width, height, color, bits, samples)
    }

    package var bytes: [UInt8] {
        var header = Self.bigEndian(UInt32(width)) + Self.bigEndian(UInt32(height))
        header += [UInt8(bits), color.rawValue, 0, 0, isInterlaced ? 1 : 0]
        var file: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + Self.chunk("IHDR", header)
        if color == .palette {
            // The first entry is transparent, as programs mark a background; indices stay what they are.
            let palette = (0..<1 << bits).flatMap { (index: Int) -> [UInt8] in
                [UInt8(index * 3 % 256), 200, UInt8(255 - index)]
            }
            file += Self.chunk("PLTE", palette)
            file += Self.chunk("tRNS", [0])
        }
        return file + Self.chunk("IDAT", Self.stored(rows)) + Self.chunk("IEND", [])
    }

    /// The rows of all passes, each behind a zero for "no filter".
    private var rows: [UInt8] {
        // First column and row of Adam7's passes, and their distances.
        let passes =
            isInterlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
            : [(0, 0, 1, 1)]
        var rows: [UInt8] = []
        for (left, top, across, down) in passes where left < width {
            for y in stride(from: top, to: height, by: down) {
                let row = stride(from: left, to: width, by: across).flatMap { x in pixel(x, y) }
                rows.append(0)
                rows += packed(row)
            }
        }
        return rows
    }

    private func pixel(_ x: Int, _ y: Int) -> ArraySlice<Int> {
        samples[(y * width + x) * color.samples..<(y * width + x + 1) * color.samples]
    }

    private func packed(_ row: [Int]) -> [UInt8] {
        if bits == 16 { return row.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
        let perByte = 8 / bits
        return stride(from: 0, to: row.count, by: perByte).map { start in
            (0..<perByte).reduce(UInt8(0)) { byte, place in
                byte << UInt8(bits) | (start + place < row.count ? UInt8(row[start + place]) : 0)
            }
        }
    }

    /// A zlib stream of stored blocks.
    private static func stored(_ content: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        for start in stride(from: 0, to: content.count, by: 65535) {
            let block = content[start..<min(start + 65535, content.count)]
            let size = UInt16(block.count)
            stream.append(start + 65535 >= content.count ? 1 : 0)
            stream += [UInt8(size & 255), UInt8(size >> 8), UInt8(~size & 255), UInt8(~size >> 8)]
            stream += block
        }
        var (a, b): (UInt32, UInt32) = (1, 0)
        for byte in content {
            a = (a + UInt32(byte)) % 65521
            b = (b + a) % 65521
        }
        return stream + bigEndian(b << 16 | a)
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        var crc = ~UInt32(0)
        for byte in body {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
        }
        return bigEndian(UInt32(content.count)) + body + bigEndian(~crc)
    }
}
