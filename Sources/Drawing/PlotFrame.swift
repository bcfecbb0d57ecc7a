/// Where the curves of a chart are, and how values become places.
struct PlotFrame: Sendable {
    let left, right, top, bottom: Double
    let x, y: ClosedRange<Double>

    /// Of a chart `width` × `height` with room for the labels of both axes.
    init(_ chart: LineChart, width: Double, height: Double) {
        (left, right, top, bottom) = (58, width - 14, 10, height - 40)
        let points = chart.series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
        x = Self.range(points.map(\.x), margin: 0)
        y = Self.range(points.map(\.y) + chart.references.filter(\.isFinite), margin: 0.06)
    }

    /// From the smallest to the largest value and a margin; never empty.
    private static func range(_ values: [Double], margin: Double) -> ClosedRange<Double> {
        guard let low = values.min(), let high = values.max() else { return 0...1 }
        guard low < high else { return low - max(0.5, abs(low) * 0.1)...high + max(0.5, abs(high) * 0.1) }
        let extra = (high - low) * margin
        // Zero is a floor, not a number to go below, for values that are never negative.
        return (low >= 0 ? max(0, low - extra) : low - extra)...high + extra
    }

    func column(_ value: Double) -> Double {
        left + (value - x.lowerBound) / (x.upperBound - x.lowerBound) * (right - left)
    }

    func row(_ value: Double) -> Double {
        bottom - (value - y.lowerBound) / (y.upperBound - y.lowerBound) * (bottom - top)
    }
}

/// The points of a curve gathered by columns of a chart: where several share one, what matters of them.
struct PlotColumns: Sequence, IteratorProtocol {
    struct Column: Sendable {
        /// Means.
        let x, mean: Double
        let minimum, maximum: Double
        let count: Int
    }

    private var points: ArraySlice<Point>
    private let frame: PlotFrame

    init(_ points: ArraySlice<Point>, frame: PlotFrame) { (self.points, self.frame) = (points, frame) }

    mutating func next() -> Column? {
        guard let first = points.first else { return nil }
        let column = frame.column(first.x).rounded(.down)
        let group = points.prefix { frame.column($0.x).rounded(.down) == column }
        points = points.dropFirst(group.count)
        let values = group.map(\.y), count = Double(group.count)
        return Column(
            x: group.map(\.x).reduce(0, +) / count, mean: values.reduce(0, +) / count, minimum: values.min()!,
            maximum: values.max()!, count: group.count)
    }
}
