import TensorCore

/// Views without chance, for evaluation: normalised [H, W, 3].
public enum EvaluationTransform {
    /// The short side resized to imageSize · 256/224, then the centre square (the usual validation view).
    public static func centerView(_ bytes: [UInt8], imageSize: Int) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        let side = Int((Double(min(size.width, size.height)) * 224 / 256).rounded())
        let crop = PixelRegion(
            x: (size.width - side) / 2, y: (size.height - side) / 2, width: max(side, 1), height: max(side, 1))
        return try view(bytes, crop, width: imageSize, height: imageSize)
    }

    /// The whole picture at the given size.
    public static func plainView(_ bytes: [UInt8], height: Int, width: Int) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        return try view(
            bytes, PixelRegion(x: 0, y: 0, width: size.width, height: size.height), width: width, height: height)
    }

    private static func view(_ bytes: [UInt8], _ crop: PixelRegion, width: Int, height: Int) throws -> Tensor {
        let scale = max(Double(width) / Double(crop.width), Double(height) / Double(crop.height))
        let decoded = try ImageDecoder.decode(bytes, region: crop, minimumScale: min(scale, 1))
        let planes = Tensor([3, height, width]), result = Tensor([height, width, 3])
        var scratch: [Float] = []
        decoded.resize(crop, width: width, height: height, into: planes.pointer, scratch: &scratch)
        interleave(planes.pointer, width: width, height: height, flips: false, into: result.pointer)
        return result
    }
}
