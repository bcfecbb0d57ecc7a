/// Curves over a common axis, with everything a reader needs to read them alone.
package struct LineChart: Sendable {
    package struct Series: Sendable {
        package var name: String
        /// In ascending x; a value that is not finite leaves a gap.
        package var points: [Point]
        /// Marks each point, for curves of few.
        package var hasDots: Bool

        package init(_ name: String, _ points: [Point], hasDots: Bool = false) {
            (self.name, self.points, self.hasDots) = (name, points, hasDots)
        }
    }

    package var title: String
    package var xLabel: String
    package var series: [Series]
    /// Dashed horizontal lines to compare with, such as the scores of random weights: each in the colour of the series
    /// at its place in the list; none where the value is not finite.
    package var references: [Double] = []
    /// What all dashed lines are, for the legend.
    package var referencesName = ""
    /// Places on the x axis where a run was resumed.
    package var restarts: [Double] = []

    package init(title: String, xLabel: String, series: [Series]) {
        (self.title, self.xLabel, self.series) = (title, xLabel, series)
    }

    /// Draws the chart. Where several points share a pixel column, the line is their mean and a lighter band spans
    /// their minimum and maximum, so that spikes survive.
    package func draw(width: Int = 960, height: Int = 600) -> Canvas {
        var canvas = Canvas(width: width, height: height)
        let legend = legendEntries
        let frame = Frame(chart: self, width: width, height: height, legendRows: legendRows(legend, width: width))
        canvas.text(title, x: frame.left, y: 22, .ink, scale: 3)
        drawLegend(legend, on: &canvas, frame: frame)
        drawAxes(on: &canvas, frame: frame)
        for x in restarts where frame.x.contains(x) {
            let column = frame.column(x)
            canvas.polyline(
                [Point(column, Double(frame.top)), Point(column, Double(frame.bottom))], .faintInk, thickness: 1,
                dash: [2, 4])
        }
        for (index, reference) in references.enumerated() where reference.isFinite {
            let row = frame.row(reference)
            canvas.polyline(
                [Point(Double(frame.left), row), Point(Double(frame.right), row)], color(index), thickness: 1.5,
                dash: [8, 6], opacity: 0.8)
        }
        for (index, series) in series.enumerated() { draw(series, color(index), on: &canvas, frame: frame) }
        return canvas
    }

    private func color(_ index: Int) -> Color { Color.series[index % Color.series.count] }

    // MARK: Curves

    private func draw(_ series: Series, _ color: Color, on canvas: inout Canvas, frame: Frame) {
        for run in series.points.split(whereSeparator: { !$0.x.isFinite || !$0.y.isFinite }) {
            var line: [Point] = []
            for column in Columns(run, frame: frame) {
                let (top, bottom) = (frame.row(column.maximum), frame.row(column.minimum))
                if column.count > 1 {
                    let x = Int(column.x)
                    canvas.fill(
                        color, x: x..<x + 1, y: Int(top)..<max(Int(top), Int(bottom)) + 1, opacity: 0.28)
                }
                line.append(Point(column.x, frame.row(column.mean)))
            }
            if line.count == 1 || series.hasDots {
                for point in line { canvas.dot(point, color, radius: 4) }
            }
            canvas.polyline(line, color, thickness: 2.2)
        }
    }

    // MARK: Axes and legend

    private func drawAxes(on canvas: inout Canvas, frame: Frame) {
        let y = Ticks(frame.y, count: max(2, (frame.bottom - frame.top) / 70))
        for (value, label) in zip(y.values, y.labels) {
            let row = Int(frame.row(value).rounded(.down))
            canvas.fill(.grid, x: frame.left..<frame.right, y: row..<row + 1)
            canvas.text(label, x: frame.left - 10, y: row - 7, .faintInk, alignment: .right)
        }
        let x = Ticks(frame.x, count: max(2, (frame.right - frame.left) / 110))
        for (value, label) in zip(x.values, x.labels) {
            let column = Int(frame.column(value).rounded(.down))
            canvas.fill(.faintInk, x: column..<column + 1, y: frame.bottom..<frame.bottom + 6)
            canvas.text(label, x: column, y: frame.bottom + 12, .faintInk, alignment: .center)
        }
        canvas.fill(.faintInk, x: frame.left..<frame.right, y: frame.bottom..<frame.bottom + 1)
        canvas.text(xLabel, x: (frame.left + frame.right) / 2, y: frame.bottom + 38, .ink, alignment: .center)
    }

    private struct LegendEntry {
        let name: String
        let color: Color
        let dash: [Double]
    }

    /// A single unnamed curve needs none.
    private var legendEntries: [LegendEntry] {
        var entries = series.enumerated().map { LegendEntry(name: $1.name, color: color($0), dash: []) }
        if references.contains(where: \.isFinite) {
            entries.append(LegendEntry(name: referencesName, color: .faintInk, dash: [8, 6]))
        }
        if !restarts.isEmpty { entries.append(LegendEntry(name: "resumed", color: .faintInk, dash: [2, 4])) }
        return entries.filter { !$0.name.isEmpty }
    }

    private static let legendRowHeight = 24

    private func legendWidth(_ entry: LegendEntry) -> Int { 40 + Canvas.textWidth(entry.name) + 28 }

    private func legendRows(_ entries: [LegendEntry], width: Int) -> Int {
        var (rows, x) = (entries.isEmpty ? 0 : 1, 0)
        for entry in entries {
            if x > 0, x + legendWidth(entry) > width - Frame.sideMargins {
                (rows, x) = (rows + 1, 0)
            }
            x += legendWidth(entry)
        }
        return rows
    }

    private func drawLegend(_ entries: [LegendEntry], on canvas: inout Canvas, frame: Frame) {
        var (x, y) = (frame.left, Frame.legendTop)
        for entry in entries {
            if x > frame.left, x + legendWidth(entry) > frame.left + canvas.width - Frame.sideMargins {
                (x, y) = (frame.left, y + LineChart.legendRowHeight)
            }
            let middle = Double(y) + 7
            canvas.polyline(
                [Point(Double(x), middle), Point(Double(x + 30), middle)], entry.color,
                thickness: entry.dash.isEmpty ? 3 : 1.5, dash: entry.dash)
            canvas.text(entry.name, x: x + 40, y: y, .ink)
            x += legendWidth(entry)
        }
    }

    /// Where the curves are, and how values become pixels.
    fileprivate struct Frame {
        static let legendTop = 58
        static let sideMargins = 120

        let left: Int
        let right: Int
        let top: Int
        let bottom: Int
        let x: ClosedRange<Double>
        let y: ClosedRange<Double>

        init(chart: LineChart, width: Int, height: Int, legendRows: Int) {
            left = 90
            right = width - 30
            top = Frame.legendTop + legendRows * LineChart.legendRowHeight + 10
            bottom = height - 66
            let points = chart.series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
            let values = points.map(\.y) + chart.references.filter(\.isFinite)
            x = Frame.range(points.map(\.x), margin: 0)
            y = Frame.range(values, margin: 0.06)
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
            Double(left) + (value - x.lowerBound) / (x.upperBound - x.lowerBound) * Double(right - left)
        }

        func row(_ value: Double) -> Double {
            Double(bottom) - (value - y.lowerBound) / (y.upperBound - y.lowerBound) * Double(bottom - top)
        }
    }

    /// The points of a curve gathered by pixel column.
    private struct Columns: Sequence, IteratorProtocol {
        struct Column {
            let x: Double
            let mean: Double
            let minimum: Double
            let maximum: Double
            let count: Int
        }

        private var points: ArraySlice<Point>
        private let frame: Frame

        init(_ points: ArraySlice<Point>, frame: Frame) { (self.points, self.frame) = (points, frame) }

        mutating func next() -> Column? {
            guard let first = points.first else { return nil }
            let column = frame.column(first.x).rounded(.down)
            let group = points.prefix { frame.column($0.x).rounded(.down) == column }
            points = points.dropFirst(group.count)
            let values = group.map(\.y)
            let x = group.map { frame.column($0.x) }.reduce(0, +) / Double(group.count)
            return Column(
                x: x, mean: values.reduce(0, +) / Double(values.count), minimum: values.min()!,
                maximum: values.max()!, count: values.count)
        }
    }
}
