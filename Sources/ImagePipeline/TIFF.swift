#if TIFF
    import CTIFF
#endif

/// TIFF files through libtiff, where the program is built with it.
enum TIFF {
    #if TIFF
        static let isReadable = true

        /// The bytes must outlive the reader.
        static func reader(_ bytes: UnsafeBufferPointer<UInt8>) throws -> any PictureReader { try Reader(bytes) }

        /// A file whose header has been read; of several pictures in it the first.
        final class Reader: PictureReader {
            let width: Int
            let height: Int
            let orientation: Orientation
            let hasTransparency: Bool
            private let reader: OpaquePointer

            init(_ bytes: UnsafeBufferPointer<UInt8>) throws {
                var header = ctiff_header(), opened: OpaquePointer?
                try TIFF.call {
                    opened = ctiff_open(bytes.baseAddress, bytes.count, &header, $0)
                    return opened == nil ? 1 : 0
                }
                reader = opened!
                (width, height) = (Int(header.width), Int(header.height))
                (orientation, hasTransparency) = (Orientation(value: Int(header.orientation)), header.has_alpha != 0)
                try ImageDecoder.check(width: width, height: height)
            }

            deinit { ctiff_close(reader) }

            /// The tiles or rows that the region touches, at full size.
            func decode(region: PixelRegion, minimumScale: Double) throws -> DecodedRegion {
                let part = orientation.stored(region, width: width, height: height)
                precondition(
                    part.x >= 0 && part.y >= 0 && part.width > 0 && part.height > 0 && part.x + part.width <= width
                        && part.y + part.height <= height, "\(part) of a picture of \(width)×\(height)")
                let byteCount = part.width * part.height * 3
                let pixels = try [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
                    let rectangle = ctiff_rectangle(
                        x: Int32(part.x), y: Int32(part.y), width: Int32(part.width), height: Int32(part.height))
                    try TIFF.call { ctiff_read(reader, rectangle, buffer.baseAddress, $0) }
                    count = byteCount
                }
                let stored = RGBImage(width: part.width, height: part.height, pixels: pixels)
                return DecodedRegion(
                    image: orientation.turned(stored), originX: Double(region.x), originY: Double(region.y), scaleX: 1,
                    scaleY: 1)
            }
        }

        /// Turns libtiff's failure into an `ImageError`.
        private static func call(_ body: (UnsafeMutablePointer<CChar>) -> Int32) throws {
            try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CTIFF_MESSAGE_SIZE)) { message in
                guard body(message.baseAddress!) == 0 else { throw ImageError(String(cString: message.baseAddress!)) }
            }
        }
    #else
        static let isReadable = false

        static func reader(_ bytes: UnsafeBufferPointer<UInt8>) throws -> any PictureReader {
            throw ImageError(
                "is a TIFF, which this build of the program cannot read: install libtiff-dev (launch/install does) and "
                    + "build it again, or convert the picture to PNG")
        }
    #endif
}

extension ImageDecoder {
    /// Whether this build of the program reads TIFFs.
    package static var readsTIFF: Bool { TIFF.isReadable }
}
