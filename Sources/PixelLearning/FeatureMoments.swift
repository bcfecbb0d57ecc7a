package import TensorCore

/// Sums over unit feature vectors, from which follows how far they are from being all the same.
package struct FeatureMoments: Sendable {
    /// Vectors counted.
    package var rows: Int
    /// Their sum, by channel.
    package var sums: [Double]

    /// Of none, in `channels` channels.
    package init(channels: Int) {
        rows = 0
        sums = [Double](repeating: 0, count: channels)
    }

    package init(rows: Int, sums: [Double]) { (self.rows, self.sums) = (rows, sums) }

    /// Adds the unit rows of `features` […, C].
    package mutating func add(_ features: Tensor) {
        let moments = features.columnMoments()
        for channel in sums.indices { sums[channel] += moments[channel] }
        rows += features.count / sums.count
    }

    /// 1 − |mean|²: the variance of unit vectors around their mean, summed over channels. 0 when all are the same (the
    /// network has collapsed), near 1 when they point everywhere.
    package var spread: Double {
        guard rows > 0 else { return .nan }
        let mean = sums.map { $0 / Double(rows) }
        return 1 - mean.reduce(0) { $0 + $1 * $1 }
    }
}
