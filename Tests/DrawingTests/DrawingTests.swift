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
    private func count(_ part: String, in figure: String) -> Int { figure.components(separatedBy: part).count - 1 }

    /// The y coordinates of the first element of a kind.
    private func rows(of element: String, in figure: String) throws -> [Double] {
        let start = try #require(figure.range(of: "<\(element) points=\""))
        let points = figure[start.upperBound...].prefix { $0 != "\"" }
        return points.split(separator: " ").map { Double($0.split(separator: ",")[1])! }
    }

    @Test func aSpikeOfOnePointSurvivesManyPointsPerColumn() throws {
        var points = (0..<50_000).map { Point(Double($0), -2) }
        points[25_000].y = 4
        let figure = LineChart(title: "Loss", xLabel: "step", series: [.init("loss", points)]).figure
        let band = try rows(of: "polygon", in: figure), line = try rows(of: "polyline", in: figure)
        #expect(band.max()! - band.min()! > 200)
        #expect(line.max()! - line.min()! < 20)
        #expect(figure.utf8.count < 100_000)
    }

    @Test func emptyConstantAndBrokenCurvesAreDrawn() {
        func figure(_ points: [Point]) -> String {
            LineChart(title: "One", xLabel: "step", series: [.init("", points)]).figure
        }
        #expect(count("<polyline", in: figure([])) == 0 && count("<circle", in: figure([])) == 0)
        #expect(count("<circle", in: figure([Point(3, 7)])) == 1)
        #expect(count("<polyline", in: figure([Point(3, 7), Point(9, 7)])) == 1)
        let gap = figure([Point(0, 0), Point(10, 0), Point(20, .nan), Point(90, 1), Point(100, 1)])
        #expect(count("<polyline", in: gap) == 2)
        for broken in [figure([]), gap] { #expect(!broken.contains("nan") && !broken.contains("inf")) }
    }

    @Test func restartsAndReferencesAreDrawn() {
        let loss = (0..<100).map { Point(Double($0), exp(-Double($0) / 10)) }
        var chart = LineChart(title: "Training loss", xLabel: "step", series: [.init("loss", loss)])
        #expect(count("stroke-dasharray", in: chart.figure) == 0)
        chart.restarts = [42, 90, 1000]
        #expect(count("stroke-dasharray=\"2 4\"", in: chart.figure) == 2)
        chart.references = [0.5, .nan]
        chart.referencesName = "random weights"
        #expect(count("stroke-dasharray=\"8 6\"", in: chart.figure) == 1)
        #expect(chart.figure.contains("random weights"))
    }

    @Test func namesAreText() {
        let chart = LineChart(
            title: "a<b", xLabel: "s & t", series: [.init("\"q\" \\", [Point(0, 1), Point(1, 2)])])
        #expect(chart.figure.contains("a&lt;b") && chart.figure.contains("s &amp; t"))
        #expect(chart.figure.contains("&quot;name&quot;:&quot;\\&quot;q\\&quot; \\\\&quot;"))
        #expect(!chart.figure.contains("a<b"))
    }
}
