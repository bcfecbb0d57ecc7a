import Drawing
import Testing
import Training

@Suite struct CurveSeriesTests {
    @Test func curvesAreDrawnForWhatWasRecorded() {
        var metrics = [MetricRecord(.start, step: 0, epoch: 0, values: ["ranks": 2])]
        for step in 1...40 {
            metrics.append(
                MetricRecord(.train, step: step, epoch: Double(step) / 10, values: ["loss": -1, "imagesPerSecond": 9]))
        }
        #expect(CurveSeries(metrics).charts.map(\.name) == ["loss", "imagesPerSecond"])
        let plain = CurveSeries(metrics).charts[0].chart.figure
        metrics.append(MetricRecord(.start, step: 20, epoch: 2, values: ["ranks": 4]))
        #expect(CurveSeries(metrics).charts[0].chart.figure != plain)
        metrics.append(MetricRecord(.evaluation, step: 20, epoch: 2, values: ["kNN": 0.4, "mIoU": 0.3]))
        let scores = CurveSeries(metrics).charts.last
        #expect(scores?.name == "scores" && scores?.chart.series.map(\.name) == ["kNN", "mIoU"])
        metrics[metrics.count - 1].values["kNNRandom"] = 0.2
        #expect(CurveSeries(metrics).charts.last?.chart.references.first == 0.2)
        metrics[metrics.count - 1].values["PSNR"] = 21
        #expect(CurveSeries(metrics).charts.map(\.name) == ["loss", "imagesPerSecond", "scores", "PSNR"])
        #expect(CurveSeries().charts.isEmpty)
    }
}
