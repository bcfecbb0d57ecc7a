import CPNG
import Glibc

/// PNG files through libpng.
enum PNG {
    /// A file whose header has been read.
    struct Reader: PictureReader {
        let width: Int
        let height: Int
        let orientation = Orientation(value: 1)
        let hasTransparency: Bool
        private let bytes: UnsafeBufferPointer<UInt8>

        /// The bytes must outlive the reader.
        init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
            let header = try PNG.header(of: bytes)
            (width, height, hasTransparency) = (Int(header.width), Int(header.height), header.has_alpha != 0)
            self.bytes = bytes
        }

        /// Everything, whatever is wanted.
        func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
            var pixels = [UInt8](repeating: 0, count: width * height * 3)
            try PNG.call { cpng_decode(bytes.baseAddress, bytes.count, Int32(cpng_rgb.rawValue), &pixels, $0) }
            return DecodedRegion(
                image: RGBImage(width: width, height: height, pixels: pixels), originX: 0, originY: 0, scaleX: 1,
                scaleY: 1)
        }
    }

    private static func header(of bytes: UnsafeBufferPointer<UInt8>) throws -> cpng_header {
        var header = cpng_header()
        try call { cpng_read_header(bytes.baseAddress, bytes.count, &header, $0) }
        try ImageDecoder.check(width: Int(header.width), height: Int(header.height))
        return header
    }

    /// The gray value or palette index of every pixel; 16-bit values are ids too, if they are ids that exist.
    static func classIDs(
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws -> (width: Int, height: Int, ids: [UInt8]) {
        let header = try header(of: bytes)
        guard header.has_colors == 0 else {
            throw ImageError("has colours (RGB); a label map is gray or has a palette, and its values are class ids")
        }
        guard header.has_alpha == 0 else {
            throw ImageError("has transparency; a label map has one value for each pixel, its class id")
        }
        let (width, height, isWide) = (Int(header.width), Int(header.height), header.bits > 8)
        var samples = [UInt8](repeating: 0, count: width * height * (isWide ? 2 : 1))
        try call { cpng_decode(bytes.baseAddress, bytes.count, Int32(cpng_stored.rawValue), &samples, $0) }
        guard isWide else { return (width, height, samples) }
        let ids = try [UInt8](unsafeUninitializedCapacity: width * height) { ids, count in
            for pixel in 0..<width * height {
                guard samples[2 * pixel] == 0 else {
                    let id = Int(samples[2 * pixel]) << 8 | Int(samples[2 * pixel + 1])
                    throw ImageError(
                        "has the 16-bit class id \(id) at \(pixel % width),\(pixel / width); ids go from 0 to 255")
                }
                ids[pixel] = samples[2 * pixel + 1]
            }
            count = width * height
        }
        return (width, height, ids)
    }

    static func encode(_ pixels: [UInt8], width: Int, height: Int, channels: Int) throws -> [UInt8] {
        precondition(
            pixels.count == width * height * channels, "\(pixels.count) bytes for \(width)×\(height)×\(channels)")
        var encoded: UnsafeMutablePointer<UInt8>?, size = 0
        try call { cpng_encode(pixels, Int32(width), Int32(height), Int32(channels), &encoded, &size, $0) }
        defer { free(encoded) }
        return Array(UnsafeBufferPointer(start: encoded, count: size))
    }

    /// Turns libpng's failure into an `ImageError`.
    private static func call(_ body: (UnsafeMutablePointer<CChar>) -> Int32) throws {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CPNG_MESSAGE_SIZE)) { message in
            guard body(message.baseAddress!) == 0 else { throw ImageError(String(cString: message.baseAddress!)) }
        }
    }
}

/// A PNG of RGB bytes.
package func encodePNG(rgb: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    try PNG.encode(rgb, width: width, height: height, channels: 3)
}

/// A PNG of gray bytes.
package func encodePNG(gray: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    try PNG.encode(gray, width: width, height: height, channels: 1)
}

/// The class id of every pixel of a label map: its gray value or palette index as stored, in 1 to 16 bits.
///
/// Throws an `ImageError` for a picture with colours or transparency and for ids above 255.
package func decodeLabelMap(_ bytes: [UInt8]) throws -> (width: Int, height: Int, ids: [UInt8]) {
    try bytes.withUnsafeBufferPointer { bytes in
        let format = try ImageDecoder.format(of: bytes)
        guard format == .png else { throw ImageError("is a \(format.rawValue); label maps must be PNGs") }
        return try PNG.classIDs(bytes)
    }
}
