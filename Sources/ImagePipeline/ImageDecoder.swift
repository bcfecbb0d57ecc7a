/// Pictures from bytes, whatever the file is called.
package enum ImageDecoder {
    /// Larger pictures are refused before any memory is taken (Pillow's limit against decompression bombs).
    package static let maximumPixels = 178_956_970

    /// A picture whose header has been read and whose pixels have not.
    package struct Picture: ~Copyable {
        /// The upright size.
        package let width: Int
        package let height: Int
        /// Whether EXIF says that the stored pixels lie on their side.
        package var isTurned: Bool { orientation.transposes }
        /// What EXIF says of the stored pixels; 1 where it says nothing.
        package var orientation: Orientation { jpeg?.orientation ?? Orientation(value: 1) }
        private let bytes: UnsafeBufferPointer<UInt8>
        /// nil for a PNG.
        private let jpeg: JPEG.Reader?

        fileprivate init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
            let reader = try format(of: bytes) == .jpeg ? JPEG.Reader(bytes) : nil
            let size = try reader.map { $0.orientation.upright($0.width, $0.height) } ?? PNG.size(of: bytes)
            (self.bytes, jpeg, width, height) = (bytes, reader, size.width, size.height)
        }

        /// A part of the picture; see `ImageDecoder.decode`.
        package consuming func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
            if let jpeg { return try jpeg.decode(region: region, minimumScale: minimumScale) }
            return DecodedRegion(image: try PNG.decode(bytes), originX: 0, originY: 0, scaleX: 1, scaleY: 1)
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
    /// size that is at least `minimumScale`; PNGs are decoded whole.
    ///
    /// At full size the region's pixels are exactly those of decoding everything. A fraction is made by the JPEG's own
    /// transform, which averages blocks of pixels; over the pictures of the tests it differs from such averages of the
    /// whole by less than one level in 255 in the mean.
    package static func decode(_ bytes: [UInt8], region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
        try open(bytes) { picture in try picture.decode(region: region, minimumScale: minimumScale) }
    }

    /// Whether pixels say how opaque they are.
    static func hasTransparency(_ bytes: [UInt8]) throws -> Bool {
        try bytes.withUnsafeBufferPointer { try format(of: $0) == .png && PNG.hasTransparency($0) }
    }

    enum Format { case jpeg, png }

    /// By the first bytes; names lie.
    static func format(of bytes: UnsafeBufferPointer<UInt8>) throws -> Format {
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
        } else if starts(Array("version https://git-lfs".utf8)) {
            throw ImageError("is a Git LFS pointer, not a picture: fetch the pictures with `git lfs pull`")
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
