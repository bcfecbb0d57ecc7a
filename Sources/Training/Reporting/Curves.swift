import Drawing

/// The curves of a run, ready to be saved: loss, learning rate, speed, and each family of scores that there is.
///
/// - Returns: file names without extension and pictures; none for what was never recorded.
public func curves(of metrics: [MetricRecord]) -> [(name: String, canvas: Canvas)] {
    let train = metrics.filter { $0.kind == .train }
    let starts = metrics.filter { $0.kind == .start && $0.step > 0 }
    var drawn: [(name: String, canvas: Canvas)] = []
    for (file, title, value) in [
        ("loss", "Training loss", MetricRecord.loss), ("learning-rate", "Learning rate", MetricRecord.learningRate),
        ("speed", "Images per second", MetricRecord.imagesPerSecond),
    ] {
        let points = train.compactMap { record in record.values[value].map { Point(Double(record.step), $0) } }
        guard !points.isEmpty else { continue }
        var chart = LineChart(title: title, xLabel: "step", series: [.init("", points)])
        chart.restarts = starts.map { Double($0.step) }
        drawn.append((file, chart.draw()))
    }
    if let scores = scoreChart(metrics.filter { $0.kind == .evaluation }) {
        drawn.append(("scores", scores.draw()))
    }
    return drawn
}

/// Every score over epochs, dashed lines for random weights.
private func scoreChart(_ evaluations: [MetricRecord]) -> LineChart? {
    let names = Set(evaluations.flatMap(\.values.keys))
    let scores = names.filter { !$0.hasSuffix(MetricRecord.floorSuffix) }.sorted()
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
