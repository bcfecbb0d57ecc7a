import TensorCore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Weights of one axis of an antialiased bilinear resize, as Pillow computes them: a triangle as wide as the reduction.
struct AxisWeights {
    let starts: [Int]
    let taps: Int
    /// `taps` weights for each output, the last ones zero.
    let weights: [Float]

    /// Resizes the interval `low`..<`high` of an axis (in source pixels, fractions allowed) to `outputs` pixels. Nothing
    /// outside the interval is read, as Pillow crops before it resizes.
    init(low: Double, high: Double, limit: Int, outputs: Int) {
        let scale = (high - low) / Double(outputs)
        let filterScale = max(scale, 1)
        let taps = Int(filterScale.rounded(.up)) * 2 + 1
        let floor = Int(low.rounded(.down)), ceiling = min(Int(high.rounded(.up)), limit)
        var starts = [Int](repeating: 0, count: outputs), weights = [Float](repeating: 0, count: outputs * taps)
        for output in 0..<outputs {
            let centre = low + (Double(output) + 0.5) * scale
            let first = max(Int((centre - filterScale + 0.5).rounded(.down)), floor)
            let last = min(Int((centre + filterScale + 0.5).rounded(.down)), ceiling)
            var raw = (first..<max(last, first + 1)).prefix(taps).map { source in
                max(0, 1 - abs((Double(source) - centre + 0.5) / filterScale))
            }
            let sum = raw.reduce(0, +)
            if sum > 0 { raw = raw.map { $0 / sum } } else { raw[0] = 1 }
            starts[output] = min(max(first, 0), limit - 1)
            for (tap, weight) in raw.enumerated() { weights[output * taps + tap] = Float(weight) }
        }
        (self.starts, self.taps, self.weights) = (starts, taps, weights)
    }
}

/// Resizes a rectangle of RGB bytes into three float planes of `width` × `height`, values 0 to 255.
///
/// Rows first, which vectorises over the source's width, then columns. Pillow rounds to bytes between the two; here
/// nothing is rounded, so results differ from it by less than one level.
func resize(
    _ image: RGBImage, x: AxisWeights, y: AxisWeights, width: Int, height: Int,
    into planes: UnsafeMutablePointer<Float>, scratch: inout [Float]
) {
    let left = x.starts.min()!, right = min(x.starts.max()! + x.taps, image.width)
    let columns = right - left
    // One row of the source's columns, with room for the four-wide loads of the last pixel.
    let rowCount = columns * 3 + 4 + x.taps * 3
    if scratch.count < rowCount { scratch = [Float](repeating: 0, count: rowCount) }
    image.pixels.withUnsafeBufferPointer { pixels in
        scratch.withUnsafeMutableBufferPointer { row in
            let row = row.baseAddress!
            for output in 0..<height {
                row.update(repeating: 0, count: rowCount)
                for tap in 0..<y.taps {
                    let weight = y.weights[output * y.taps + tap]
                    guard weight != 0 else { continue }
                    let source = pixels.baseAddress! + ((y.starts[output] + tap) * image.width + left) * 3
                    for i in 0..<columns * 3 { row[i] += weight * Float(source[i]) }
                }
                resizeRow(row, x, left: left, width: width, into: planes + output * width, plane: width * height)
            }
        }
    }
}

private func resizeRow(
    _ row: UnsafePointer<Float>, _ x: AxisWeights, left: Int, width: Int, into target: UnsafeMutablePointer<Float>,
    plane: Int
) {
    x.weights.withUnsafeBufferPointer { weights in
        x.starts.withUnsafeBufferPointer { starts in
            for column in 0..<width {
                var sum = SIMD4<Float>()
                let source = UnsafeRawPointer(row + (starts[column] - left) * 3)
                for tap in 0..<x.taps {
                    let pixel = source.loadUnaligned(fromByteOffset: tap * 12, as: SIMD4<Float>.self)
                    sum.addProduct(pixel, SIMD4(repeating: weights[column * x.taps + tap]))
                }
                target[column] = sum[0]
                target[column + plane] = sum[1]
                target[column + 2 * plane] = sum[2]
            }
        }
    }
}
