import Drawing
import Foundation
import Testing

@Suite struct CanvasTests {
    @Test func blendingMixes() {
        var canvas = Canvas(width: 3, height: 2)
        canvas.blend(Color(0x000000), 1, 1, opacity: 0.5)
        canvas.blend(Color(0xff0000), 2, 0)
        canvas.blend(Color(0xff0000), 3, 0)
        canvas.blend(Color(0xff0000), -1, 0)
        #expect(canvas[1, 1] == Color(0x808080))
        #expect(canvas[2, 0] == Color(0xff0000))
        #expect(canvas[0, 0] == .white)
        #expect(canvas.pixels.count == 18)
    }

    @Test func aLineIsAsThickAsAskedAndDrawnOnce() {
        var canvas = Canvas(width: 20, height: 10)
        let black = Color(0)
        // There and back: overlapping pieces must not come out darker.
        canvas.polyline([Point(2, 5), Point(18, 5), Point(2, 5)], black, thickness: 2, opacity: 0.5)
        #expect(canvas[10, 4] == Color(0x808080))
        #expect(canvas[10, 5] == Color(0x808080))
        #expect(canvas[10, 2] == .white)
        #expect(canvas[10, 7] == .white)
        var steep = Canvas(width: 40, height: 40)
        steep.polyline([Point(5, 5), Point(35, 35)], black, thickness: 3)
        let ink = steep.pixels.reduce(0.0) { $0 + (255 - Double($1)) / 255 / 3 }
        #expect(abs(ink - 3 * 30 * 2.0.squareRoot()) < 12)  // length times thickness, and two round ends
    }

    @Test func dashesLeaveGaps() {
        var canvas = Canvas(width: 40, height: 5)
        canvas.polyline([Point(0, 2.5), Point(40, 2.5)], Color(0), thickness: 1, dash: [10, 10])
        #expect(canvas[5, 2] == Color(0))
        #expect(canvas[15, 2] == .white)
        #expect(canvas[25, 2] == Color(0))
        #expect(canvas[35, 2] == .white)
    }

    @Test func everyPrintableCharacterHasItsOwnGlyph() throws {
        var pictures: Set<[UInt8]> = []
        for code in UInt8(0x20)...0x7e {
            var canvas = Canvas(width: 5, height: 9)
            canvas.text(String(UnicodeScalar(code)), x: 0, y: 0, Color(0), scale: 1)
            pictures.insert(canvas.pixels)
        }
        #expect(pictures.count == 95)
        #expect(Canvas.textWidth("ab", scale: 2) == 22)
        var sheet = Canvas(width: 780, height: 160)
        sheet.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 !\"#$%&'()*+,-./:;", x: 10, y: 10)
        sheet.text("abcdefghijklmnopqrstuvwxyz <=>?@[\\]^_`{|}~ jumpy quick fog", x: 10, y: 40)
        sheet.text("Loss 1.25e-4 (resumed)", x: 10, y: 80, scale: 3)
        sheet.text("images/s", x: 10, y: 120, scale: 1)
        try savePicture(sheet, "font")
    }
}

@Suite struct TicksTests {
    @Test(arguments: [
        (0.0...1.0, 5, ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-3.2...(-1.0), 4, ["-3.0", "-2.5", "-2.0", "-1.5", "-1.0"]),
        (0...127_000, 6, ["0", "20k", "40k", "60k", "80k", "100k", "120k"]),
        (0...0.00045, 4, ["0", "1e-4", "2e-4", "3e-4", "4e-4"]), (9.7...10.3, 3, ["9.8", "10.0", "10.2"]),
        (0...3_000_000, 3, ["0", "1M", "2M", "3M"]),
    ])
    func labelsAreRoundAndShort(_ range: ClosedRange<Double>, _ count: Int, _ labels: [String]) {
        #expect(Ticks(range, count: count).labels == labels)
    }

    @Test func fixedDigits() {
        #expect(Ticks.fixed(-0.004, digits: 2) == "0.00")
        #expect(Ticks.fixed(-1.255, digits: 1) == "-1.3")
        #expect(Ticks.fixed(12, digits: 0) == "12")
    }
}

@Suite struct LineChartTests {
    /// Columns of the first series' line and band, by counting pixels that are not grey.
    private func coloredRows(_ canvas: Canvas, column: Int) -> Int {
        (0..<canvas.height).filter { row in
            let color = canvas[column, row]
            return max(color.red, color.green, color.blue) - min(color.red, color.green, color.blue) > 40
        }.count
    }

    @Test func aSpikeOfOnePointSurvivesManyPointsPerColumn() throws {
        var points = (0..<50_000).map { Point(Double($0), -2) }
        points[25_000].y = 4
        let chart = LineChart(title: "Loss", xLabel: "step", series: [.init("loss", points)])
        let canvas = chart.draw(width: 600, height: 400)
        let spike = (100..<560).map { coloredRows(canvas, column: $0) }.max()!
        #expect(spike > 200)
        #expect(coloredRows(canvas, column: 200) < 8)
    }

    @Test func emptyConstantAndBrokenCurvesAreDrawn() {
        func chart(_ points: [Point]) -> Canvas {
            LineChart(title: "One", xLabel: "step", series: [.init("", points)]).draw(width: 600, height: 400)
        }
        func drawn(_ canvas: Canvas) -> Int { (0..<600).reduce(0) { $0 + coloredRows(canvas, column: $1) } }
        let usual = LineChart(title: "Empty", xLabel: "step", series: [.init("a", [])]).draw()
        #expect(usual.width == 960 && usual.height == 600)
        #expect(drawn(chart([])) == 0)
        #expect(drawn(chart([Point(3, 7)])) > 0)
        #expect(drawn(chart([Point(3, 7), Point(9, 7)])) > 300)
        let gap = LineChart(
            title: "Gap", xLabel: "step",
            series: [.init("", [Point(0, 0), Point(10, 0), Point(20, .nan), Point(90, 1), Point(100, 1)])])
        let canvas = gap.draw(width: 600, height: 400)
        #expect(coloredRows(canvas, column: 300) == 0)
        #expect(coloredRows(canvas, column: 110) > 0)
    }

    @Test func restartsAndReferencesAreDrawn() throws {
        var state: UInt64 = 88_172_645_463_325_252
        func noise() -> Double {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Double(state >> 11) / Double(1 << 53) - 0.5
        }
        let loss = (0..<12_000).map { step -> Point in
            let t = Double(step) / 12_000
            let base = -3.1 + 3 * exp(-t * 60) + 0.9 * t * exp(-t) + 0.12 * noise()
            return Point(Double(step), step == 7000 ? -0.6 : base)
        }
        var chart = LineChart(title: "Training loss", xLabel: "step", series: [.init("loss", loss)])
        let plain = chart.draw()
        chart.restarts = [4200, 9000]
        #expect(chart.draw() != plain)
        try savePicture(chart.draw(), "loss")
        var scores = LineChart(
            title: "Scores", xLabel: "epoch",
            series: [
                .init(
                    "kNN accuracy", [Point(4, 0.39), Point(8, 0.42), Point(12, 0.43), Point(16, 0.436)], hasDots: true),
                .init(
                    "segmentation mIoU", [Point(4, 0.22), Point(8, 0.25), Point(12, 0.27), Point(16, 0.279)],
                    hasDots: true),
            ])
        let unreferenced = scores.draw()
        scores.references = [0.371, 0.201]
        scores.referencesName = "random weights"
        let canvas = scores.draw()
        try savePicture(canvas, "scores")
        #expect(canvas != unreferenced)
        scores.referencesName = "noise"
        #expect(canvas != scores.draw(), "the name of the references is drawn")
    }
}
