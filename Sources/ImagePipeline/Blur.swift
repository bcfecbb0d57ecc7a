import Glibc

/// A box filter of any length, symmetric: whole taps and one of a fraction at each end.
struct BoxFilter {
    /// Weights of the pixels at distance 0, 1, 2 …
    let weights: [Float]
    var reach: Int { weights.count - 1 }

    /// The box that, applied three times, has the variance sigma² (Gwosdek et al., "Theoretical foundations of Gaussian
    /// convolution by extended box filtering", equations 7 to 14).
    init(sigma: Double) {
        let variance = sigma * sigma / 3
        let whole = (((12 * variance + 1).squareRoot() - 1) / 2).rounded(.down)
        let next = (whole + 1) * (whole + 1)
        let fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - next))
        let inner = 1 / (2 * (whole + fraction) + 1)
        weights = [Float](repeating: Float(inner), count: Int(whole) + 1) + [Float((1 - (2 * whole + 1) * inner) / 2)]
    }

    /// The weighted sum of `source(-reach)` … `source(reach)`, each a run of `count` numbers.
    func apply(count: Int, into target: UnsafeMutablePointer<Float>, source: (Int) -> UnsafePointer<Float>) {
        for distance in 1...reach {
            weigh(
                distance == 1 ? source(0) : UnsafePointer(target), distance == 1 ? weights[0] : 1, source(-distance),
                source(distance), weights[distance], count: count, into: target)
        }
    }
}

/// target = p · centre + q · (before + after)
@inline(never)
private func weigh(
    _ centre: UnsafePointer<Float>, _ p: Float, _ before: UnsafePointer<Float>, _ after: UnsafePointer<Float>,
    _ q: Float,
    count: Int, into target: UnsafeMutablePointer<Float>
) {
    for i in 0..<count { target[i] = (p * centre[i]).addingProduct(q, before[i] + after[i]) }
}

/// Pillow's Gaussian blur: three box filters along each axis, with edges that repeat their last pixel before each. Pillow
/// rounds to bytes between the axes; here nothing is rounded.
///
/// A picture is a sequence of rows, each of three runs (red, green, blue) of `width` numbers. Between the passes along the
/// columns only the rows that are needed at once are kept, which stay in the first-level cache.
package final class Blur {
    private static let passes = 3
    private let width: Int
    private let height: Int
    private var box = BoxFilter(sigma: 0)
    /// Rows of each column pass but the last that are made.
    private var rowsMade = [0, 0]
    private var memory = UnsafeMutablePointer<Float>.allocate(capacity: 0)
    private var capacity = 0

    package init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    deinit { memory.deallocate() }

    /// Begins with another picture.
    package func begin(sigma: Double) {
        box = BoxFilter(sigma: sigma)
        rowsMade = [0, 0]
        let needed = (Self.passes - 1) * ringCount + 2 * paddedCount
        guard needed > capacity else { return }
        memory.deallocate()
        memory = .allocate(capacity: needed)
        capacity = needed
    }

    /// Blurs row `y` of the picture into `target`; rows are asked for in their order.
    package func blurRow(_ y: Int, of picture: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
        filterColumns(pass: Self.passes - 1, row: y, of: picture, into: target)
        for channel in 0..<3 { filterRow(target + channel * width) }
    }

    private func filterColumns(
        pass: Int, row y: Int, of picture: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>
    ) {
        if pass > 0 {
            while rowsMade[pass - 1] <= min(y + box.reach, height - 1) {
                let next = rowsMade[pass - 1]
                filterColumns(pass: pass - 1, row: next, of: picture, into: kept(pass - 1, next))
                rowsMade[pass - 1] += 1
            }
        }
        box.apply(count: 3 * width, into: target) { distance in
            let row = min(max(y + distance, 0), height - 1)
            return pass == 0 ? picture + row * 3 * width : UnsafePointer(kept(pass - 1, row))
        }
    }

    private func filterRow(_ row: UnsafeMutablePointer<Float>) {
        var source = memory + (Self.passes - 1) * ringCount + box.reach, other = source + paddedCount
        source.update(from: row, count: width)
        for pass in 0..<Self.passes {
            for distance in 1...box.reach {
                source[-distance] = source[0]
                source[width - 1 + distance] = source[width - 1]
            }
            let target = pass == Self.passes - 1 ? row : other
            box.apply(count: width, into: target) { UnsafePointer(source + $0) }
            swap(&source, &other)
        }
    }

    /// The newest rows of a pass, as many as a box is long.
    private func kept(_ pass: Int, _ row: Int) -> UnsafeMutablePointer<Float> {
        memory + pass * ringCount + row % (2 * box.reach + 1) * 3 * width
    }

    private var ringCount: Int { (2 * box.reach + 1) * 3 * width }
    private var paddedCount: Int { width + 2 * box.reach }
}
