import CJPEG
import Glibc

/// JPEG files through libjpeg-turbo.
enum JPEG {
    /// A file whose header has been read.
    final class Reader: PictureReader {
        let width: Int
        let height: Int
        let orientation: Orientation
        var hasTransparency: Bool { false }
        private let reader: OpaquePointer

        /// Reads the header, and makes sure that the file ends as a JPEG does: one that lacks its end is refused whichever
        /// part is wanted, so that a file is either always used or never. The bytes must outlive the reader.
        init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
            var header = cjpeg_header(), opened: OpaquePointer?
            try JPEG.call {
                opened = cjpeg_open(bytes.baseAddress, bytes.count, &header, $0)
                return opened == nil ? 1 : 0
            }
            reader = opened!
            width = Int(header.width)
            height = Int(header.height)
            orientation = Orientation(value: Int(header.orientation))
            try ImageDecoder.check(width: width, height: height)
            guard JPEG.hasEnd(bytes) else { throw ImageError("truncated: the JPEG has no end") }
        }

        deinit { cjpeg_close(reader) }

        /// Only once: the file is read from front to end.
        func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
            let numerator = [1, 2, 4].first { Double($0) / 8 >= minimumScale } ?? 8
            let width = (width * numerator + 7) / 8, height = (height * numerator + 7) / 8
            let stored = orientation.stored(region, width: self.width, height: self.height)
            // The scaled pixels under the region, and one more on each side for interpolation.
            func scaled(_ start: Int, _ length: Int, _ limit: Int) -> (Int, Int) {
                let margin = numerator == 8 ? 0 : 1
                let low = max(start * numerator / 8 - margin, 0)
                let high = min(((start + length) * numerator + 7) / 8 + margin, limit)
                return (low, max(high - low, 1))
            }
            let (x, columns) = scaled(stored.x, stored.width, width),
                (y, rows) = scaled(stored.y, stored.height, height)
            let (part, image) = try decode(
                PixelRegion(x: x, y: y, width: columns, height: rows), numerator: numerator)
            let upright = orientation.upright(part, width: width, height: height)
            let whole = orientation.upright(self.width, self.height)
            let scaledWhole = orientation.upright(width, height)
            let scaleX = Double(scaledWhole.width) / Double(whole.width)
            let scaleY = Double(scaledWhole.height) / Double(whole.height)
            return DecodedRegion(
                image: orientation.turned(image), originX: Double(upright.x) / scaleX,
                originY: Double(upright.y) / scaleY, scaleX: scaleX, scaleY: scaleY)
        }

        /// Decodes at least `wanted`, in pixels of the scaled picture; says what it decoded.
        private func decode(_ wanted: PixelRegion, numerator: Int) throws -> (part: PixelRegion, image: RGBImage) {
            var part = cjpeg_rectangle(
                x: Int32(wanted.x), y: Int32(wanted.y), width: Int32(wanted.width), height: Int32(wanted.height))
            try JPEG.call { cjpeg_start(reader, Int32(numerator), &part, $0) }
            let decoded = PixelRegion(x: Int(part.x), y: Int(part.y), width: Int(part.width), height: Int(part.height))
            let byteCount = decoded.width * decoded.height * 3
            let pixels = try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
                try JPEG.call { cjpeg_read(reader, buffer.baseAddress, $0) }
                count = byteCount
            }
            return (decoded, RGBImage(width: decoded.width, height: decoded.height, pixels: pixels))
        }
    }

    /// `channels` is 1 (gray) or 3 (RGB).
    static func encode(_ pixels: [UInt8], width: Int, height: Int, channels: Int, quality: Int) throws -> [UInt8] {
        precondition(
            pixels.count == width * height * channels, "\(pixels.count) bytes for \(width)×\(height)×\(channels)")
        var encoded: UnsafeMutablePointer<UInt8>?, size = 0
        try call {
            cjpeg_encode(
                pixels, Int32(width), Int32(height), Int32(channels), Int32(quality), &encoded, &size, $0)
        }
        defer { free(encoded) }
        return Array(UnsafeBufferPointer(start: encoded, count: size))
    }

    /// Whether an end-of-image marker follows the first scan; what follows the marker does not matter.
    private static func hasEnd(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let scan = startOfScan(bytes) else { return false }
        var at = bytes.count - 2
        while at >= scan {
            if bytes[at] == 0xFF, bytes[at + 1] == 0xD9 { return true }
            at -= 1
        }
        return false
    }

    /// The offset behind the header of the first scan, found by walking the segments.
    private static func startOfScan(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var at = 2
        while at + 4 <= bytes.count {
            guard bytes[at] == 0xFF else {
                at += 1
                continue
            }
            let marker = bytes[at + 1]
            if marker == 0xFF || marker == 0 || marker == 1 || (0xD0...0xD8).contains(marker) {
                at += marker == 0xFF ? 1 : 2
                continue
            }
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            at += 2 + max(length, 2)
            if marker == 0xDA { return at <= bytes.count ? at : nil }
        }
        return nil
    }

    /// Turns libjpeg's failure into an `ImageError`.
    private static func call(_ body: (UnsafeMutablePointer<CChar>) -> Int32) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CJPEG_MESSAGE_SIZE)) { message in
            guard body(message.baseAddress!) == 0 else { throw ImageError(String(cString: message.baseAddress!)) }
        }
    }
}

/// A JPEG of RGB bytes.
package func encodeJPEG(rgb: [UInt8], width: Int, height: Int, quality: Int = 90) throws -> [UInt8] {
    try JPEG.encode(rgb, width: width, height: height, channels: 3, quality: quality)
}

/// A JPEG of gray bytes.
package func encodeJPEG(gray: [UInt8], width: Int, height: Int, quality: Int = 90) throws -> [UInt8] {
    try JPEG.encode(gray, width: width, height: height, channels: 1, quality: quality)
}
