import Glibc
import TensorCore

/// Weights of one axis of an antialiased bilinear resize, as Pillow computes them: a triangle as wide as the reduction.
struct AxisWeights {
    /// The first source pixel of each output.
    private(set) var starts: [Int] = []
    /// Source pixels under the widest output.
    private(set) var taps = 0
    /// `taps` weights for each output, the last ones zero where fewer count.
    private(set) var weights: [Float] = []

    /// Resizes the interval `low`..<`high` of an axis (in source pixels, fractions allowed) to `outputs` pixels, in
    /// reverse if `mirrored`. Nothing outside the interval is read, as Pillow crops before it resizes.
    mutating func set(low: Double, high: Double, limit: Int, outputs: Int, mirrored: Bool = false) {
        let scale = (high - low) / Double(outputs)
        let filterScale = max(scale, 1)
        let floor = Int(low.rounded(.down)), ceiling = min(Int(high.rounded(.up)), limit)
        taps = Int((2 * filterScale).rounded(.up))
        if starts.count != outputs { starts = [Int](repeating: 0, count: outputs) }
        if weights.count < outputs * taps { weights = [Float](repeating: 0, count: outputs * taps) }
        weights.withUnsafeMutableBufferPointer { weights in
            for output in 0..<outputs {
                let centre = low + (Double(output) + 0.5) * scale
                let first = max(Int((centre - filterScale + 0.5).rounded(.down)), floor)
                let last = min(Int((centre + filterScale + 0.5).rounded(.down)), ceiling)
                let count = min(max(last - first, 1), taps)
                let slot = mirrored ? outputs - 1 - output : output
                let row = UnsafeMutableBufferPointer(rebasing: weights[slot * taps..<(slot + 1) * taps])
                Self.fill(row, count: count, centre: centre - Double(first), filterScale: filterScale)
                starts[slot] = min(max(first, 0), limit - 1)
            }
        }
    }

    /// Triangle weights of `count` pixels for an output at `centre`, in pixels from the first; they sum to 1.
    private static func fill(
        _ row: UnsafeMutableBufferPointer<Float>, count: Int, centre: Double, filterScale: Double
    ) {
        func weight(_ tap: Int) -> Double { max(0, 1 - abs((Double(tap) - centre + 0.5) / filterScale)) }
        let sum = (0..<count).reduce(0) { $0 + weight($1) }
        for tap in row.indices {
            row[tap] = tap >= count ? 0 : sum > 0 ? Float(weight(tap) / sum) : tap == 0 ? 1 : 0
        }
    }
}

/// Resizes rectangles of RGB bytes to rows of three float runs (red, green, blue), values 0 to 255. Keeps its memory.
///
/// Rows are weighed first, which vectorises over the source's width, then columns. Pillow rounds to bytes between the
/// two; here nothing is rounded, so results differ from it by less than one level.
package final class Resizer {
    private var x = AxisWeights()
    private var y = AxisWeights()
    private var width = 0
    /// The source's columns that are read.
    private var columns = 0..<0
    /// One weighed row of them, with room for the four-wide loads of the last pixel.
    private var row: [Float] = []

    package init() {}

    /// What `resize` will do: `crop`, in pixels of the whole picture, to `width` × `height`.
    package func set(
        _ decoded: DecodedRegion, crop: PixelRegion, width: Int, height: Int, mirrored: Bool = false,
        upsideDown: Bool = false
    ) {
        func interval(_ start: Int, _ length: Int, _ origin: Double, _ scale: Double, _ limit: Int) -> (Double, Double)
        {
            let low = (Double(start) - origin) * scale
            return (max(low, 0), min(low + Double(length) * scale, Double(limit)))
        }
        let image = decoded.image
        let (left, right) = interval(crop.x, crop.width, decoded.originX, decoded.scaleX, image.width)
        let (top, bottom) = interval(crop.y, crop.height, decoded.originY, decoded.scaleY, image.height)
        x.set(low: left, high: right, limit: image.width, outputs: width, mirrored: mirrored)
        y.set(low: top, high: bottom, limit: image.height, outputs: height, mirrored: upsideDown)
        self.width = width
        columns = x.starts.min()!..<min(x.starts.max()! + x.taps, image.width)
        let rowCount = (columns.count + x.taps) * 3 + 4
        if row.count < rowCount { row = [Float](repeating: 0, count: rowCount) }
    }

    /// Writes row `y` of the result: `width` reds, greens and blues.
    package func resizeRow(_ y: Int, of image: RGBImage, into target: UnsafeMutablePointer<Float>) {
        image.pixels.withUnsafeBufferPointer { pixels in
            row.withUnsafeMutableBufferPointer { row in
                weighRows(of: pixels, stride: image.width * 3, output: y, into: row)
                x.starts.withUnsafeBufferPointer { starts in
                    x.weights.withUnsafeBufferPointer { weights in
                        weighColumns(
                            of: row.baseAddress!, from: columns.lowerBound, starts: starts, weights: weights,
                            taps: x.taps, into: target)
                    }
                }
            }
        }
    }

    /// Four source rows at a time: what is missing to four has the weight 0.
    private func weighRows(
        of pixels: UnsafeBufferPointer<UInt8>, stride: Int, output: Int, into row: UnsafeMutableBufferPointer<Float>
    ) {
        let first = y.starts[output], taps = y.taps
        let top = pixels.baseAddress! + first * stride + columns.lowerBound * 3
        func weight(_ tap: Int) -> Float { tap < taps ? y.weights[output * taps + tap] : 0 }
        func source(_ tap: Int) -> UnsafePointer<UInt8> { weight(tap) == 0 ? top : top + tap * stride }
        for tap in Swift.stride(from: 0, to: taps, by: 4) {
            let weights = SIMD4(weight(tap), weight(tap + 1), weight(tap + 2), weight(tap + 3))
            if tap > 0, weights == .zero { break }
            weigh(
                source(tap), source(tap + 1), source(tap + 2), source(tap + 3), weights, count: columns.count * 3,
                adds: tap > 0, into: row.baseAddress!)
        }
    }
}

/// The weighted sum of four rows of bytes, or what is in `target` plus that.
@inline(never)
private func weigh(
    _ a: UnsafePointer<UInt8>, _ b: UnsafePointer<UInt8>, _ c: UnsafePointer<UInt8>, _ d: UnsafePointer<UInt8>,
    _ weights: SIMD4<Float>, count: Int, adds: Bool, into target: UnsafeMutablePointer<Float>
) {
    let (p, q, r, s) = (weights[0], weights[1], weights[2], weights[3])
    @inline(__always) func sum(_ i: Int) -> Float {
        (p * Float(a[i])).addingProduct(q, Float(b[i])).addingProduct(r, Float(c[i])).addingProduct(s, Float(d[i]))
    }
    if adds {
        for i in 0..<count { target[i] += sum(i) }
    } else {
        for i in 0..<count { target[i] = sum(i) }
    }
}

/// One row of pixels, interleaved from column `first` on, to three runs.
@inline(never)
private func weighColumns(
    of row: UnsafePointer<Float>, from first: Int, starts: UnsafeBufferPointer<Int>,
    weights: UnsafeBufferPointer<Float>, taps: Int, into target: UnsafeMutablePointer<Float>
) {
    // A view is seldom reduced by more than two: loops of a known length run twice as fast.
    switch taps {
    case 2: weigh(2)
    case 3: weigh(3)
    case 4: weigh(4)
    default: weigh(taps)
    }

    @inline(__always) func weigh(_ taps: Int) {
        for column in 0..<starts.count {
            var sum = SIMD4<Float>()
            let source = UnsafeRawPointer(row + (starts[column] - first) * 3)
            for tap in 0..<taps {
                let pixel = source.loadUnaligned(fromByteOffset: tap * 12, as: SIMD4<Float>.self)
                sum.addProduct(pixel, SIMD4(repeating: weights[column * taps + tap]))
            }
            target[column] = sum[0]
            target[column + starts.count] = sum[1]
            target[column + 2 * starts.count] = sum[2]
        }
    }
}
