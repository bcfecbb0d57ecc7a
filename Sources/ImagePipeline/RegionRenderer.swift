package import TensorCore

/// Parts of pictures at any size; holds the working memory of one thread.
package final class RegionRenderer {
    private let resizer = Resizer()
    /// A row of reds, greens and blues.
    private var row = Tensor([0])

    package init() {}

    /// A part of a picture, in its upright pixels, as [height, width, 3], normalised.
    package func render(
        _ bytes: [UInt8], _ region: PixelRegion, height: Int, width: Int, mirrored: Bool = false,
        _ normalization: PixelNormalization
    ) throws -> Tensor {
        let decoded = try ImageDecoder.decode(
            bytes, region: region, minimumScale: region.decodingScale(width: width, height: height))
        if row.count < 3 * width { row = Tensor([3 * width]) }
        let result = Tensor([height, width, 3])
        resizer.set(decoded, crop: region, width: width, height: height, mirrored: mirrored)
        for y in 0..<height {
            resizer.resizeRow(y, of: decoded.image, into: row.pointer)
            interleave(
                ColorRuns(row.pointer, count: width), into: result.pointer + y * width * 3, normalization)
        }
        return result
    }
}
