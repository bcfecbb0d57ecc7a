import MessagePassing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct NumberGuardTests {
    private func statistics() -> [RunningStatistics] {
        let state = ModelState(seed: 1)
        _ = BatchNormalization(Scope(state).child("bn"), channels: 2)
        return state.statistics
    }

    private func makeGuard(
        _ rule: RunConfiguration.NonFiniteRule = .skip, _ statistics: [RunningStatistics] = [],
        _ communicator: any Collective = Communicator(alone: "test")
    ) -> NumberGuard {
        var settings = RunConfiguration().numbers
        (settings.nonFinite, settings.skipLimit) = (rule, 2)
        return NumberGuard(settings, statistics: statistics, communicator: communicator)
    }

    private let sound = [Tensor([3], [1, -2, 0])]

    @Test(
        arguments: [
            (-1, [1, 2], true), (.nan, [1, 2], false), (-.infinity, [1, 2], false), (-1, [1, .nan], false),
            (-1, [.infinity, 1], false),
        ] as [(Double, [Float], Bool)])
    func onlyFiniteNumbersReachTheWeights(_ loss: Double, _ gradient: [Float], _ accepted: Bool) throws {
        let numbers = makeGuard()
        numbers.begin()
        #expect(try numbers.accepts(loss: loss, gradients: sound + [Tensor([2], gradient)]) == accepted)
        #expect(numbers.skippedInARow == (accepted ? 0 : 1))
    }

    @Test func aSkippedStepLeavesTheStatisticsAsTheyWere() throws {
        let statistics = statistics(), numbers = makeGuard(.skip, statistics)
        func step(mean: Float, loss: Double) throws -> Bool {
            numbers.begin()
            statistics[0].mean.fill(mean)
            statistics[0].variance.fill(2 * mean)
            statistics[0].batchesTracked += 1
            return try numbers.accepts(loss: loss, gradients: sound)
        }
        #expect(try step(mean: 3, loss: -1))
        #expect(try !step(mean: .nan, loss: .nan))
        #expect(statistics[0].mean.array == [3, 3] && statistics[0].variance.array == [6, 6])
        #expect(statistics[0].batchesTracked == 1)
        #expect(try step(mean: 4, loss: -1))
        #expect(statistics[0].mean.array == [4, 4] && statistics[0].batchesTracked == 2)
    }

    @Test func aStepIsReportedWithThePicturesOfItsWrongPart() throws {
        let numbers = makeGuard()
        numbers.begin()
        _ = try numbers.accepts(loss: .nan, gradients: sound)
        let pictures = [["a", "b"], ["c", "d", "e", "f", "g"]]
        let (message, named) = try numbers.report(step: 7, losses: [-1, .nan], pictures: pictures)
        #expect(named == ["c", "d", "e", "f", "g"])
        #expect(
            message == "the loss of step 7 is not finite; its 5 images: c, d, e, f and 1 more; the step is skipped "
                + "(1 in a row, at most 2)")
        // Where only a gradient is wrong, all pictures are suspects.
        let (other, all) = try numbers.report(step: 8, losses: [-1, -1], pictures: pictures)
        #expect(other.hasPrefix("a gradient of step 8 is not finite; its 7 images: a, b, c, d and 3 more"))
        #expect(all.count == 7)
    }

    /// What one rank finds keeps the step from all, and only its own pictures are named, on every rank.
    @Test func whatOneRankFindsIsKnownToAll() throws {
        let reports = try SimulatedRanks(3, seed: 2).run { world in
            let statistics = statistics(), numbers = makeGuard(.skip, statistics, world)
            let loss = world.rank == 1 ? Double.nan : -1
            numbers.begin()
            statistics[0].mean.fill(3)
            #expect(try !numbers.accepts(loss: loss, gradients: sound))
            #expect(statistics[0].mean.array == [0, 0])
            let report = try numbers.report(step: 7, losses: [loss], pictures: [["of rank \(world.rank)"]])
            #expect(try numbers.accepts(loss: -1, gradients: sound))
            return report
        }
        for report in reports {
            #expect(report.pictures == ["of rank 1"] && report.message == reports[0].message)
            #expect(report.message.hasPrefix("the loss of step 7 is not finite; its 1 images: of rank 1; the step"))
        }
    }

    @Test func tooManySkipsInARowEndTheRun() throws {
        let numbers = makeGuard()
        func skip() throws { _ = try numbers.accepts(loss: .nan, gradients: sound) }
        func report() throws { _ = try numbers.report(step: 9, losses: [.nan], pictures: [["x"]]) }
        for _ in 0..<2 {
            try skip()
            try report()
        }
        // A sound step between them begins the count anew.
        #expect(try numbers.accepts(loss: 1, gradients: sound))
        for _ in 0..<2 {
            try skip()
            try report()
        }
        try skip()
        let error = #expect(throws: TrainingError.self) { try report() }
        #expect(error?.description.contains("; 2 steps in a row were skipped before it: lower optimizer") == true)
    }

    @Test func theRuleStopEndsTheRunAtOnce() throws {
        let numbers = makeGuard(.stop)
        _ = try numbers.accepts(loss: .infinity, gradients: sound)
        let error = #expect(throws: TrainingError.self) {
            try numbers.report(step: 3, losses: [.infinity], pictures: [["x.jpg"]])
        }
        let start = "the loss of step 3 is not finite; its 1 images: x.jpg: lower optimizer"
        #expect(error?.description.hasPrefix(start) == true)
    }
}
