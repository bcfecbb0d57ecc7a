package import Drawing

/// What the curves of a run are drawn from: loss, learning rate, speed, and each family of scores that there is. Kept
/// while the run goes on, so that drawing them reads nothing.
package struct CurveSeries: Sendable {
    private static let drawn = [
        ("loss", "Training loss", MetricRecord.loss), ("learning-rate", "Learning rate", MetricRecord.learningRate),
        ("speed", "Images per second", MetricRecord.imagesPerSecond),
    ]

    /// By the name of the value.
    private var points: [String: [Point]] = [:]
    private var restarts: [Double] = []
    private(set) var evaluations: [MetricRecord] = []

    package init(_ metrics: [MetricRecord] = []) {
        for record in metrics { add(record) }
    }

    package mutating func add(_ record: MetricRecord) {
        switch record.kind {
        case .train:
            for (_, _, value) in Self.drawn {
                if let y = record.values[value] { points[value, default: []].append(Point(Double(record.step), y)) }
            }
        case .start: if record.step > 0 { restarts.append(Double(record.step)) }
        case .evaluation: evaluations.append(record)
        }
    }

    /// Whether there are scores of this step.
    func hasScores(step: Int) -> Bool { evaluations.contains { $0.step == step } }

    /// File names without extension and pictures; none for what was never recorded.
    package func curves() -> [(name: String, canvas: Canvas)] {
        var result: [(name: String, canvas: Canvas)] = []
        for (file, title, value) in Self.drawn {
            guard let points = points[value] else { continue }
            var chart = LineChart(title: title, xLabel: "step", series: [.init("", points)])
            chart.restarts = restarts
            result.append((file, chart.draw()))
        }
        if let scores = scoreChart(evaluations) { result.append(("scores", scores.draw())) }
        return result
    }
}

/// Every score over epochs, dashed lines for random weights.
private func scoreChart(_ evaluations: [MetricRecord]) -> LineChart? {
    let names = Set(evaluations.flatMap(\.values.keys))
    let scores = names.filter { !MetricRecord.isBesideScore($0) }.sorted()
    guard !scores.isEmpty else { return nil }
    var chart = LineChart(
        title: "Scores of the frozen backbone", xLabel: "epoch",
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
