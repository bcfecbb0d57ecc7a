/// Where 95 % of many values lie: from the 2.5th to the 97.5th percentile.
package struct Interval: Sendable, Equatable {
    package let low, high: Double

    /// Nil for no values.
    package init?(_ values: [Double]) {
        guard !values.isEmpty else { return nil }
        let sorted = values.sorted()
        /// Between two values in proportion.
        func percentile(_ share: Double) -> Double {
            let place = share * Double(sorted.count - 1), below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        (low, high) = (percentile(0.025), percentile(0.975))
    }
}
