package import ImagePipeline
package import TensorCore

/// In which parts a picture is looked at, and how large.
package struct WindowPlan: Sendable, Equatable {
    /// Pixels that the network sees for one of the picture's, each way.
    package let scale: Double
    /// Of a part, and from one to the next, in pixels that the network sees; nil for the whole at once.
    private let side, step: Int?

    package init(scale: Double, side: Int?, step: Int?) {
        (self.scale, self.side, self.step) = (scale, side, step)
    }

    /// Parts of a picture, in its pixels, that cover it: the last of a row or column ends where the picture ends.
    package func regions(height: Int, width: Int) -> [PixelRegion] {
        let rows = starts(height), columns = starts(width)
        return rows.starts.flatMap { y in
            columns.starts.map { x in PixelRegion(x: x, y: y, width: columns.length, height: rows.length) }
        }
    }

    private func starts(_ pixels: Int) -> (starts: [Int], length: Int) {
        guard let side else { return ([0], pixels) }
        func inPicture(_ seen: Int) -> Int { max(Int((Double(seen) / scale).rounded()), 1) }
        let length = min(inPicture(side), pixels), stride = min(inPicture(step ?? side), length)
        let count = (pixels - length + stride - 1) / stride + 1
        return ((0..<count).map { min($0 * stride, pixels - length) }, length)
    }

    /// The size at which a part is seen.
    package func size(of region: PixelRegion) -> (height: Int, width: Int) {
        func seen(_ pixels: Int) -> Int { max(Int((Double(pixels) * scale).rounded()), 1) }
        return (seen(region.height), seen(region.width))
    }
}

/// The logits of a picture's pixels, added up over the parts that show them.
package final class LogitSums {
    /// [height, classes, width]; nil until there is something.
    private var sums: Tensor?
    private let height, width, count: Int

    package init(height: Int, width: Int, classes: Int) {
        (self.height, self.width, count) = (height, width, classes)
    }

    /// Adds logits [1, h, w, classes] of a part, enlarged bilinearly to its pixels.
    package func add(_ logits: Tensor, _ region: PixelRegion) {
        let upsampling = BilinearUpsampling(
            mapRows: logits.shape[1], mapColumns: logits.shape[2], height: region.height, width: region.width)
        let pixels = upsampling(logits)
        if sums == nil, region.height == height, region.width == width {
            sums = pixels
            return
        }
        let all = sums ?? .zeros([height, count, width])
        sums = all
        let (target, source) = (all.floats, pixels.floats)
        for y in 0..<region.height {
            for k in 0..<count {
                let to = ((region.y + y) * count + k) * width + region.x, from = (y * count + k) * region.width
                for x in 0..<region.width { target[to + x] += source[from + x] }
            }
        }
    }

    /// The likeliest class of each pixel, row by row; the lowest of equal ones.
    package var classes: [UInt8] {
        guard let sums else { preconditionFailure("no part has been looked at") }
        return sums.largestClasses().map { UInt8($0) }
    }
}
