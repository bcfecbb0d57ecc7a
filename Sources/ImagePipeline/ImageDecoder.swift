/// Pictures from bytes, whatever the file is called.
public enum ImageDecoder {
    /// Larger pictures are refused before any memory is taken (Pillow's limit against decompression bombs).
    public static let maximumPixels = 178_956_970

    /// The upright size of a picture, from its header alone.
    public static func size(of bytes: [UInt8]) throws -> (width: Int, height: Int) {
        switch try format(of: bytes) {
        case .jpeg:
            let header = try JPEG.Header(bytes)
            return header.orientation.upright(header.width, header.height)
        case .png: return try PNG.size(of: bytes)
        }
    }

    /// The whole picture, upright.
    public static func decode(_ bytes: [UInt8]) throws -> RGBImage {
        let size = try size(of: bytes)
        let whole = PixelRegion(x: 0, y: 0, width: size.width, height: size.height)
        return try decode(bytes, region: whole, minimumScale: 1).image
    }

    /// A part of a picture that contains `region` (in upright pixels), at the coarsest of 1, 1/2, 1/4 and 1/8 of its
    /// size that is at least `minimumScale`; PNGs are decoded whole.
    ///
    /// At full size the region's pixels are exactly those of decoding everything. A fraction is made by the JPEG's own
    /// transform, which averages blocks of pixels; over the pictures of the tests it differs from such averages of the
    /// whole by less than one level in 255 in the mean.
    public static func decode(_ bytes: [UInt8], region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
        switch try format(of: bytes) {
        case .jpeg: return try JPEG.decode(bytes, region: region, minimumScale: minimumScale)
        case .png:
            return DecodedRegion(image: try PNG.decode(bytes), originX: 0, originY: 0, scaleX: 1, scaleY: 1)
        }
    }

    enum Format { case jpeg, png }

    /// By the first bytes; names lie.
    static func format(of bytes: [UInt8]) throws -> Format {
        func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: magic) }
        if starts([0xFF, 0xD8, 0xFF]) { return .jpeg }
        if starts([0x89, 0x50, 0x4E, 0x47]) { return .png }
        let other: String
        if bytes.isEmpty {
            throw ImageError("is empty")
        } else if starts(Array("GIF8".utf8)) {
            other = "a GIF"
        } else if starts(Array("BM".utf8)) {
            other = "a BMP"
        } else if starts(Array("RIFF".utf8)), starts(Array("WEBP".utf8), at: 8) {
            other = "a WebP"
        } else if starts(Array("<".utf8)) {
            other = "a web page"
        } else if starts([0x49, 0x49, 0x2A, 0]) || starts([0x4D, 0x4D, 0, 0x2A]) {
            other = "a TIFF"
        } else {
            other = "something else"
        }
        throw ImageError("is \(other), not a JPEG or PNG")
    }

    static func check(width: Int, height: Int) throws {
        guard width > 0, height > 0 else { throw ImageError("its header says \(width)×\(height) pixels") }
        guard width * height <= maximumPixels else {
            throw ImageError("its header says \(width)×\(height) pixels, more than the \(maximumPixels) allowed")
        }
    }
}
