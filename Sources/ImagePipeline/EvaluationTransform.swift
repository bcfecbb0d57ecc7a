package import TensorCore

/// Views without chance, for evaluation: normalised [H, W, 3].
package enum EvaluationTransform {
    /// The short side resized to imageSize · 256/224, then the centre square (the usual validation view).
    package static func centerView(_ bytes: [UInt8], imageSize: Int) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        let side = Int((Double(min(size.width, size.height)) * 224 / 256).rounded())
        let crop = PixelRegion(
            x: (size.width - side) / 2, y: (size.height - side) / 2, width: max(side, 1), height: max(side, 1))
        return try view(bytes, crop, width: imageSize, height: imageSize)
    }

    /// The whole picture at the given size.
    package static func plainView(_ bytes: [UInt8], height: Int, width: Int) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        return try view(
            bytes, PixelRegion(x: 0, y: 0, width: size.width, height: size.height), width: width, height: height)
    }

    private static func view(_ bytes: [UInt8], _ crop: PixelRegion, width: Int, height: Int) throws -> Tensor {
        let decoded = try ImageDecoder.decode(
            bytes, region: crop, minimumScale: crop.decodingScale(width: width, height: height))
        let row = Tensor([3, width]), result = Tensor([height, width, 3])
        let resizer = Resizer()
        resizer.set(decoded, crop: crop, width: width, height: height)
        for y in 0..<height {
            resizer.resizeRow(y, of: decoded.image, into: row.pointer)
            interleave(ColorRuns(row.pointer, count: width), into: result.pointer + y * width * 3)
        }
        return result
    }
}
