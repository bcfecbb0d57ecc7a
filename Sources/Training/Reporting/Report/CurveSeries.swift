package import Drawing

/// What the curves of a run are drawn from: loss, learning rate, speed, and each family of scores that there is.
package struct CurveSeries: Sendable {
    private static let drawn = [
        ("Training loss", MetricRecord.loss), ("Learning rate", MetricRecord.learningRate),
        ("Images per second", MetricRecord.imagesPerSecond),
    ]

    /// By the name of the value.
    private var points: [String: [Point]] = [:]
    private var restarts: [Double] = []
    private var evaluations: [MetricRecord] = []

    package init(_ metrics: [MetricRecord] = []) {
        for record in metrics { add(record) }
    }

    private mutating func add(_ record: MetricRecord) {
        switch record.kind {
        case .train:
            // Losses of phases that have names beside their step's.
            let losses = record.values.keys.filter { $0.hasPrefix(MetricRecord.loss + ".") }
            for value in Self.drawn.map(\.1) + losses {
                if let y = record.values[value] { points[value, default: []].append(Point(Double(record.step), y)) }
            }
        case .start: if record.step > 0 { restarts.append(Double(record.step)) }
        case .evaluation: evaluations.append(record)
        case .end: break
        }
    }

    /// By the name of what they show; none for what was never recorded.
    package var charts: [(name: String, chart: LineChart)] {
        let drawn = Self.drawn.compactMap { title, value in
            curves(of: value).map { series -> (String, LineChart) in
                var chart = LineChart(title: title, xLabel: "step", series: series)
                chart.restarts = restarts
                return (value, chart)
            }
        }
        return drawn + scoreCharts(evaluations)
    }

    private func curves(of value: String) -> [LineChart.Series]? {
        let prefix = value + "."
        let parts = value == MetricRecord.loss ? points.keys.filter { $0.hasPrefix(prefix) }.sorted() : []
        guard parts.isEmpty else { return parts.map { .init(String($0.dropFirst(prefix.count)), points[$0]!) } }
        return points[value].map { [.init("", $0)] }
    }

    /// The same curves of several runs over each other.
    package static func compared(_ runs: [(name: String, metrics: [MetricRecord])]) -> [LineChart] {
        let series = runs.map { ($0.name, CurveSeries($0.metrics)) }
        let curves = drawn.map { title, value in
            LineChart(
                title: title, xLabel: "step",
                series: series.compactMap { name, run in run.points[value].map { .init(name, $0) } })
        }
        let names = Set(series.flatMap { scoreNames($0.1.evaluations) }).sorted()
        let scores = names.map { score in
            LineChart(
                title: score, xLabel: "epoch",
                series: series.map { name, run in
                    .init(
                        name,
                        run.evaluations.compactMap { record in record.values[score].map { Point(record.epoch, $0) } },
                        hasDots: true)
                })
        }
        return (curves + scores).filter { !$0.series.isEmpty }
    }
}

private func scoreNames(_ evaluations: [MetricRecord]) -> [String] {
    Set(evaluations.flatMap(\.values.keys)).filter { !MetricRecord.isBesideScore($0) }.sorted()
}

/// Scores over epochs, dashed lines for random weights: those of one size in one chart, others in charts of their own.
private func scoreCharts(_ evaluations: [MetricRecord]) -> [(String, LineChart)] {
    let names = scoreNames(evaluations)
    func values(_ name: String) -> [Double] { evaluations.compactMap { $0.values[name] } }
    let shares = names.filter { name in values(name).allSatisfy { (-1...1).contains($0) } }
    let others = names.filter { !shares.contains($0) }
    return ([("scores", "Scores", shares)] + others.map { ($0, $0, [$0]) }).filter { !$0.2.isEmpty }.map {
        ($0, scoreChart($1, $2, evaluations))
    }
}

private func scoreChart(_ title: String, _ scores: [String], _ evaluations: [MetricRecord]) -> LineChart {
    var chart = LineChart(
        title: title, xLabel: "epoch",
        series: scores.map { name in
            let points = evaluations.compactMap { record in record.values[name].map { Point(record.epoch, $0) } }
            return LineChart.Series(name, points, hasDots: true)
        })
    // Each in the colour of its score; a score without one keeps its place with a value that is not drawn.
    let floors = scores.map { name in evaluations.compactMap { $0.values[name + MetricRecord.floorSuffix] }.last }
    if floors.contains(where: { $0 != nil }) {
        chart.references = floors.map { $0 ?? .nan }
        chart.referencesName = "random weights"
    }
    return chart
}
