import CPNG

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// PNG files through libpng.
enum PNG {
    static func size(of bytes: UnsafeBufferPointer<UInt8>) throws -> (width: Int, height: Int) {
        var width: Int32 = 0, height: Int32 = 0
        try call { cpng_read_size(bytes.baseAddress, bytes.count, &width, &height, $0) }
        try ImageDecoder.check(width: Int(width), height: Int(height))
        return (Int(width), Int(height))
    }

    static func decode(_ bytes: UnsafeBufferPointer<UInt8>) throws -> RGBImage {
        let (width, height, pixels) = try decode(bytes, channels: 3)
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    static func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, channels: Int
    ) throws -> (width: Int, height: Int, pixels: [UInt8]) {
        let (width, height) = try size(of: bytes)
        var pixels = [UInt8](repeating: 0, count: width * height * channels)
        try call { cpng_decode(bytes.baseAddress, bytes.count, Int32(channels), &pixels, $0) }
        return (width, height, pixels)
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
public func encodePNG(rgb: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    try PNG.encode(rgb, width: width, height: height, channels: 3)
}

/// A PNG of gray bytes.
public func encodePNG(gray: [UInt8], width: Int, height: Int) throws -> [UInt8] {
    try PNG.encode(gray, width: width, height: height, channels: 1)
}

/// Class ids of every pixel: gray values or palette indices as stored.
public func decodeLabelMap(_ bytes: [UInt8]) throws -> (width: Int, height: Int, ids: [UInt8]) {
    try bytes.withUnsafeBufferPointer { bytes in
        guard try ImageDecoder.format(of: bytes) == .png else { throw ImageError("is a JPEG; label maps must be PNGs") }
        let (width, height, ids) = try PNG.decode(bytes, channels: 1)
        return (width, height, ids)
    }
}
