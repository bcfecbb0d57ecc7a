package import TensorCore

/// The directions in which some vectors differ most, and where vectors lie along these.
package struct PrincipalComponents {
    private let mean: [Double]
    /// Unit vectors, orthogonal; zero where the fitted vectors do not differ any more.
    private let directions: [[Double]]
    /// Of the fitted vectors along each direction.
    private let ranges: [(low: Double, high: Double)]

    /// Of n vectors [n, channels], the directions in which they differ most first.
    ///
    /// By orthogonal iteration on the vectors' products (n × n), from fixed starts, in double precision; the sign is such
    /// that the value furthest from the mean is positive.
    package init(fitting vectors: Tensor, count: Int) {
        let (n, channels) = (vectors.shape[0], vectors.shape[1])
        var centred = vectors.array.map { Double($0) }
        var mean = [Double](repeating: 0, count: channels)
        for c in 0..<channels {
            mean[c] = (0..<n).reduce(0.0) { $0 + centred[$1 * channels + c] } / Double(n)
            for row in 0..<n { centred[row * channels + c] -= mean[c] }
        }
        let found = Self.coordinates(centred, n, channels, count: count)
        directions = found.map { coordinate in
            // What the vectors have in common along their coordinates.
            let furthest = coordinate.max { abs($0) < abs($1) } ?? 0, sign = furthest < 0 ? -1.0 : 1.0
            let sums = (0..<channels).map { c in
                (0..<n).reduce(0.0) { $0 + sign * coordinate[$1] * centred[$1 * channels + c] }
            }
            let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return sums.map { length > 0 ? $0 / length : 0 }
        }
        self.mean = mean
        ranges = directions.map { direction in
            let values = (0..<n).map { row in
                (0..<channels).reduce(0.0) { $0 + direction[$1] * centred[row * channels + $1] }
            }
            return (values.min() ?? 0, values.max() ?? 0)
        }
    }

    /// Vectors [n, channels] along each direction, scaled so that those which were fitted reach from 0 to 1; [count][n].
    package func scaled(_ vectors: Tensor) -> [[Double]] {
        let (n, channels) = (vectors.shape[0], vectors.shape[1]), values = vectors.floats
        precondition(channels == mean.count, "\(channels) channels for components of \(mean.count)")
        return zip(directions, ranges).map { direction, range in
            (0..<n).map { row in
                let along = (0..<channels).reduce(0.0) {
                    $0 + direction[$1] * (Double(values[row * channels + $1]) - mean[$1])
                }
                return range.high > range.low ? (along - range.low) / (range.high - range.low) : 0
            }
        }
    }

    /// Unit eigenvectors [n] of the products of centred vectors, of the largest eigenvalues.
    private static func coordinates(_ centred: [Double], _ n: Int, _ channels: Int, count: Int) -> [[Double]] {
        var products = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
        for a in 0..<n {
            for b in 0...a {
                let sum = (0..<channels).reduce(0.0) { $0 + centred[a * channels + $1] * centred[b * channels + $1] }
                (products[a][b], products[b][a]) = (sum, sum)
            }
        }
        var generator = KeyedGenerator(0x7063_6173)
        var found: [[Double]] = []
        for _ in 0..<count {
            var direction = (0..<n).map { _ in generator.normal() }
            for _ in 0..<100 {
                direction = products.map { row in zip(row, direction).reduce(0.0) { $0 + $1.0 * $1.1 } }
                for other in found {
                    let along = zip(other, direction).reduce(0.0) { $0 + $1.0 * $1.1 }
                    for place in 0..<n { direction[place] -= along * other[place] }
                }
                let length = direction.reduce(0.0) { $0 + $1 * $1 }.squareRoot()
                guard length > 0 else { break }
                direction = direction.map { $0 / length }
            }
            found.append(direction)
        }
        return found
    }
}
