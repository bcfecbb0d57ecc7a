import PixelLearning
import Testing

@Suite struct LearningWatchTests {
    @Test func stepsWithoutAnyPositivePairAreSaidOnceUntilThereAreSome() throws {
        var settings = PretrainingSettings()
        settings.model.threshold = 0.01
        var watch = OverlapWatch(settings)
        func add(_ steps: ClosedRange<Int>, _ positives: Double = 0) -> [String] {
            steps.compactMap { watch.add(positives, step: $0) }
        }
        #expect(add(1...9).isEmpty && add(10...10, 0.5).isEmpty && add(11...19).isEmpty)
        let warning = try #require(add(20...60).first)
        #expect(warning.contains("in the 10 steps up to step 20: the loss is 0 and nothing is learned"))
        #expect(warning.contains("raise method.threshold (0.01) or data.minimumCrop (0.08)"))
        #expect(add(61...80).isEmpty)
        #expect(add(81...81, 3).isEmpty && add(82...100).count == 1)
    }

    @Test func settingsThatLeaveNoPairAreSaidBeforeTheFirstStep() {
        func forecast(_ change: (inout PretrainingSettings) -> Void) -> String? {
            var settings = PretrainingSettings()
            change(&settings)
            return OverlapWatch.forecast(settings)
        }
        #expect(forecast { _ in } == nil)
        #expect(forecast { $0.views.imageSize = 32 } == nil)
        #expect(forecast { $0.model.dialect = .paper } == nil)
        let warning = forecast { $0.model.threshold = 1e-9 }
        #expect(warning?.hasPrefix("not one of 500 pairs of crops has two cells that show the same place") == true)
        // Wide maps are looked at less often, but looked at.
        let wide = forecast { ($0.model.threshold, $0.views.imageSize) = (1e-9, 640) }
        #expect(wide?.hasPrefix("not one of 125 pairs") == true)
    }

    @Test func featuresThatAreAlikeAreSaidOnceUntilTheyDiffer() {
        var watch = CollapseWatch()
        let spreads = [0.5] + [Double](repeating: 1e-5, count: 30) + [0.5] + [Double](repeating: 0, count: 10)
        let warnings = spreads.enumerated().compactMap { watch.add($1, step: $0) }
        #expect(warnings.count == 2)
        #expect(
            warnings[0].hasPrefix("the features have collapsed: their spread is 1.00e-5 for 10 steps up to step 10 "))
    }
}
