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

    private static let (width, height) = (720.0, 320.0)

    /// The chart as a figure of HTML: a legend and an SVG, whose colours are the page's (`--series-0` to `--series-5`,
    /// `--ink`, `--faint`, `--grid`) and whose values a page's script can show (`data-values`).
    ///
    /// Where several points share a column, the line is their mean and a lighter band spans their minimum and maximum, so
    /// that spikes survive.
    package var figure: String {
        let frame = PlotFrame(self, width: Self.width, height: Self.height)
        let curves = series.map { curve in
            curve.points.split(whereSeparator: { !$0.x.isFinite || !$0.y.isFinite })
                .map { Array(PlotColumns($0, frame: frame)) }
        }
        let drawn = zip(series, curves).enumerated().map { index, curve in
            curve.1.map { svg($0, index, hasDots: curve.0.hasDots, frame) }.joined()
        }
        return """
            <figure class="chart"><figcaption>\(title.escaped)\(legend)</figcaption>
            <svg viewBox="0 0 \(place(Self.width)) \(place(Self.height))" role="img" aria-label="\(title.escaped)" \
            data-values="\(values(curves, frame).escaped)">
            \(axes(frame))\(lines(frame))\(drawn.joined())</svg></figure>
            """
    }

    // MARK: Curves

    /// A run of columns without a gap.
    private func svg(_ run: [PlotColumns.Column], _ index: Int, hasDots: Bool, _ frame: PlotFrame) -> String {
        let color = color(index)
        func path(_ points: some Sequence<(Double, Double)>) -> String {
            points.map { "\(place(frame.column($0.0))),\(place(frame.row($0.1)))" }.joined(separator: " ")
        }
        var parts = ""
        if run.contains(where: { $0.count > 1 }) {
            let band = run.map { ($0.x, $0.maximum) } + run.reversed().map { ($0.x, $0.minimum) }
            parts += "<polygon points=\"\(path(band))\" fill=\"\(color)\" opacity=\"0.22\"/>"
        }
        if run.count > 1 {
            parts +=
                "<polyline points=\"\(path(run.map { ($0.x, $0.mean) }))\" fill=\"none\" stroke=\"\(color)\" stroke-width=\"2\"/>"
        }
        guard hasDots || run.count == 1 else { return parts }
        return parts
            + run.map {
                "<circle cx=\"\(place(frame.column($0.x)))\" cy=\"\(place(frame.row($0.mean)))\" r=\"3.5\" fill=\"\(color)\"/>"
            }.joined()
    }

    /// What is compared with, and where the run was resumed.
    private func lines(_ frame: PlotFrame) -> String {
        func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String, _ dash: String) -> String {
            "<line x1=\"\(place(x1))\" y1=\"\(place(y1))\" x2=\"\(place(x2))\" y2=\"\(place(y2))\" stroke=\"\(color)\" "
                + "stroke-dasharray=\"\(dash)\"/>"
        }
        let resumed = restarts.filter(frame.x.contains).map {
            line(frame.column($0), frame.top, frame.column($0), frame.bottom, "var(--faint)", "2 4")
        }
        let compared = references.enumerated().filter { $1.isFinite }.map {
            line(frame.left, frame.row($1), frame.right, frame.row($1), color($0), "8 6")
        }
        return (resumed + compared).joined()
    }

    private func color(_ index: Int) -> String { "var(--series-\(index % 6))" }

    /// For the page's script: the frame, and of each series x and y.
    private func values(_ curves: [[[PlotColumns.Column]]], _ frame: PlotFrame) -> String {
        func list(_ values: [Double]) -> String { "[" + values.map { "\($0)" }.joined(separator: ",") + "]" }
        let lists = zip(series, curves).map { series, runs in
            let columns = runs.flatMap { $0 }
            return "{\"name\":\(series.name.json),\"x\":\(list(columns.map(\.x))),\"y\":\(list(columns.map(\.mean)))}"
        }
        return "{\"label\":\(xLabel.json),\"frame\":"
            + list([frame.left, frame.right, frame.top, frame.bottom, frame.x.lowerBound, frame.x.upperBound])
            + ",\"series\":[" + lists.joined(separator: ",") + "]}"
    }

    // MARK: Axes and legend

    private func axes(_ frame: PlotFrame) -> String {
        let y = Ticks(frame.y, count: 5), x = Ticks(frame.x, count: 6)
        let rows = zip(y.values, y.labels).map { value, label in
            let row = place(frame.row(value))
            return "<line x1=\"\(place(frame.left))\" x2=\"\(place(frame.right))\" y1=\"\(row)\" y2=\"\(row)\" "
                + "stroke=\"var(--grid)\"/><text x=\"\(place(frame.left - 8))\" y=\"\(row)\" dy=\"0.35em\" "
                + "text-anchor=\"end\">\(label)</text>"
        }
        let columns = zip(x.values, x.labels).map { value, label in
            "<text x=\"\(place(frame.column(value)))\" y=\"\(place(frame.bottom + 18))\" text-anchor=\"middle\">\(label)</text>"
        }
        return (rows + columns).joined()
            + "<text x=\"\(place((frame.left + frame.right) / 2))\" y=\"\(place(frame.bottom + 36))\" "
            + "text-anchor=\"middle\">\(xLabel.escaped)</text>"
    }

    /// A single unnamed curve needs none.
    private var legend: String {
        var entries = series.enumerated().filter { !$1.name.isEmpty }.map {
            "<span class=\"key\" style=\"--key: \(color($0))\">\($1.name.escaped)</span>"
        }
        if references.contains(where: \.isFinite) {
            entries.append("<span class=\"key dashed\">\(referencesName.escaped)</span>")
        }
        if !restarts.isEmpty { entries.append("<span class=\"key dotted\">resumed</span>") }
        return entries.isEmpty ? "" : "<span class=\"legend\">" + entries.joined() + "</span>"
    }

    /// A coordinate, to a tenth.
    private func place(_ value: Double) -> String { Ticks.fixed(value, digits: 1) }
}
