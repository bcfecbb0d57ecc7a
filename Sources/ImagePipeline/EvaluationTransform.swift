package import TensorCore

/// Views without chance, for evaluation: normalised [H, W, 3].
package enum EvaluationTransform {
    /// The short side resized to imageSize · 256/224, then the centre square (the usual validation view).
    package static func centerView(
        _ bytes: [UInt8], imageSize: Int, _ normalization: PixelNormalization = .imageNet
    ) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        let side = Int((Double(min(size.width, size.height)) * 224 / 256).rounded())
        let crop = PixelRegion(
            x: (size.width - side) / 2, y: (size.height - side) / 2, width: max(side, 1), height: max(side, 1))
        return try RegionRenderer().render(bytes, crop, height: imageSize, width: imageSize, normalization)
    }

    /// The whole picture at the given size.
    package static func plainView(
        _ bytes: [UInt8], height: Int, width: Int, _ normalization: PixelNormalization = .imageNet
    ) throws -> Tensor {
        let size = try ImageDecoder.size(of: bytes)
        let whole = PixelRegion(x: 0, y: 0, width: size.width, height: size.height)
        return try RegionRenderer().render(bytes, whole, height: height, width: width, normalization)
    }
}
