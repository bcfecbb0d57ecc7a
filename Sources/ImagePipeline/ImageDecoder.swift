/// Pictures from bytes, whatever the file is called.
package enum ImageDecoder {
    /// Larger pictures are refused before any memory is taken (Pillow's limit against decompression bombs).
    package static let maximumPixels = 178_956_970

    /// A picture whose header has been read and whose pixels have not.
    package struct Picture: ~Copyable {
        /// The upright size.
        package let width: Int
        package let height: Int
        /// Whether the stored pixels are said to lie on their side.
        package var isTurned: Bool { orientation.transposes }
        /// What EXIF or TIFF's tag says of the stored pixels; 1 where it says nothing.
        package var orientation: Orientation { reader.orientation }
        private let reader: any PictureReader

        fileprivate init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
            reader =
                switch try format(of: bytes) {
                case .jpeg: try JPEG.Reader(bytes)
                case .png: try PNG.Reader(bytes)
                case .tiff: try TIFF.reader(bytes)
                }
            (width, height) = reader.orientation.upright(reader.width, reader.height)
        }

        /// Whether pixels say how opaque they are.
        var hasTransparency: Bool { reader.hasTransparency }

        /// A part of the picture; see `ImageDecoder.decode`.
        package consuming func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
            try reader.decode(region: region, minimumScale: minimumScale)
        }
    }

    /// Reads a picture's header and hands it on, so that what is decoded can depend on its size.
    package static func open<Result>(
        _ bytes: [UInt8], _ body: (consuming Picture) throws -> Result
    ) throws -> Result {
        try bytes.withUnsafeBufferPointer { try body(try Picture($0)) }
    }

    /// The upright size of a picture, from its header alone.
    package static func size(of bytes: [UInt8]) throws -> (width: Int, height: Int) {
        try open(bytes) { picture in (picture.width, picture.height) }
    }

    /// The whole picture, upright.
    package static func decode(_ bytes: [UInt8]) throws -> RGBImage {
        try open(bytes) { picture in
            let whole = PixelRegion(x: 0, y: 0, width: picture.width, height: picture.height)
            return try picture.decode(region: whole, minimumScale: 1).image
        }
    }

    /// A part of a picture that contains `region` (in upright pixels), at the coarsest of 1, 1/2, 1/4 and 1/8 of its
    /// size that is at least `minimumScale`. PNGs are decoded whole, TIFFs at full size.
    ///
    /// At full size the region's pixels are exactly those of decoding everything. A fraction is made by the JPEG's own
    /// transform, which averages blocks of pixels; over the pictures of the tests it differs from such averages of the
    /// whole by less than one level in 255 in the mean.
    package static func decode(_ bytes: [UInt8], region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
        try open(bytes) { picture in try picture.decode(region: region, minimumScale: minimumScale) }
    }

    /// Whether pixels say how opaque they are.
    static func hasTransparency(_ bytes: [UInt8]) throws -> Bool {
        try open(bytes) { $0.hasTransparency }
    }

    enum Format: String {
        case jpeg = "JPEG"
        case png = "PNG"
        case tiff = "TIFF"

        /// What names of such files end in.
        var ending: String {
            switch self {
            case .jpeg: ".jpg"
            case .png: ".png"
            case .tiff: ".tif"
            }
        }
    }

    /// By the first bytes; names lie.
    static func format(of bytes: UnsafeBufferPointer<UInt8>) throws -> Format {
        func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: magic) }
        if starts([0xFF, 0xD8, 0xFF]) { return .jpeg }
        if starts([0x89, 0x50, 0x4E, 0x47]) { return .png }
        // Of either order of bytes, with offsets of 32 or 64 bits.
        if [[0x49, 0x49, 42, 0], [0x4D, 0x4D, 0, 42], [0x49, 0x49, 43, 0], [0x4D, 0x4D, 0, 43]].contains(where: {
            starts($0)
        }) {
            return .tiff
        }
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
        } else if starts(Array("version https://git-lfs".utf8)) {
            throw ImageError("is a Git LFS pointer, not a picture: fetch the pictures with `git lfs pull`")
        } else {
            other = "something else"
        }
        throw ImageError("is \(other), not a JPEG, PNG or TIFF")
    }

    static func check(width: Int, height: Int) throws {
        guard width > 0, height > 0 else { throw ImageError("its header says \(width)×\(height) pixels") }
        guard width * height <= maximumPixels else {
            throw ImageError("its header says \(width)×\(height) pixels, more than the \(maximumPixels) allowed")
        }
    }
}

/// A picture whose header has been read, whatever its format.
protocol PictureReader {
    /// As the pixels are stored.
    var width: Int { get }
    var height: Int { get }
    var orientation: Orientation { get }
    var hasTransparency: Bool { get }
    /// See `ImageDecoder.decode`. Once.
    func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion
}

extension PixelRegion {
    /// The coarsest scale at which this region may be decoded to be resized to `width` × `height`: with twice the pixels
    /// of the result along each axis, or full size.
    ///
    /// Over real photographs, results differ from those of decoding at full size by 0.6 to 1.1 levels of 255 in the mean
    /// and less than 6 in 99 of 100 pixels, a third of the difference of decoding only as many pixels as are wanted.
    package func decodingScale(width: Int, height: Int) -> Double {
        min(2 * max(Double(width) / Double(self.width), Double(height) / Double(self.height)), 1)
    }
}
