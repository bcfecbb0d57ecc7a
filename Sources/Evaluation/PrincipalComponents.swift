package import TensorCore

/// The directions in which some vectors differ most, and where each of them lies along these.
package enum PrincipalComponents {
    /// The first components of n vectors [n, channels], each scaled to 0…1: [n, count], zero where they do not differ.
    ///
    /// By orthogonal iteration on the vectors' products (n × n), from fixed starts, in double precision; the sign is such
    /// that the value furthest from the mean is positive.
    package static func scaled(_ vectors: Tensor, count: Int) -> [[Double]] {
        let (n, channels) = (vectors.shape[0], vectors.shape[1])
        var centred = vectors.array.map { Double($0) }
        for c in 0..<channels {
            let mean = (0..<n).reduce(0.0) { $0 + centred[$1 * channels + c] } / Double(n)
            for row in 0..<n { centred[row * channels + c] -= mean }
        }
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
        return found.map(fitted)
    }

    /// From 0 for the least to 1 for the largest, turned so that the furthest from zero is positive.
    private static func fitted(_ values: [Double]) -> [Double] {
        let furthest = values.max { abs($0) < abs($1) } ?? 0
        let turned = furthest < 0 ? values.map { -$0 } : values
        let (low, high) = (turned.min() ?? 0, turned.max() ?? 0)
        return turned.map { high > low ? ($0 - low) / (high - low) : 0 }
    }
}
