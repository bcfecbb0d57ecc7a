import NeuralNetwork
import TensorCore
import Testing

/// Passes that take turns at their sums.
@Suite struct PassRunnerTests {
    /// Doubles what it sums, when it is finished.
    private final class Doubling: InterleavedStatistics {
        private var values: UnsafeMutableBufferPointer<Double>?
        private(set) var advanced = 0
        var failure: (any Error)?

        func begin(_ values: UnsafeMutableBufferPointer<Double>) throws { self.values = values }

        func advance() { if values != nil { advanced += 1 } }

        func finish() throws {
            if let failure { throw failure }
            for index in values!.indices { values![index] *= 2 }
            values = nil
        }
    }

    private struct Failure: Error {}

    private func pass(
        _ name: String, sums: Int, _ seen: @escaping (String) -> Void
    ) -> (any StatisticsReducing) throws -> Void {
        { statistics in
            for step in 1...sums {
                seen("\(name)\(step)")
                statistics.inOrder { seen("\(name)\(step) in order") }
                var value = [Double(step)]
                try value.withUnsafeMutableBufferPointer { try statistics.sum($0) }
                #expect(value == [Double(statistics is LocalStatistics ? step : 2 * step)])
            }
        }
    }

    @Test func passesComputeWhileOthersWait() throws {
        let runner = PassRunner(channels: [Doubling(), Doubling(), Doubling()])
        var seen: [String] = [], events: [PassRunner.Event] = []
        runner.observer = { events.append($0) }
        let passes = [("a", 2), ("b", 1)].map { pass($0, sums: $1) { seen.append($0) } }
        try runner.run(passes, alone: LocalStatistics())
        // What must be in the order of passes is done behind them.
        #expect(seen == ["a1", "b1", "a2", "a1 in order", "a2 in order", "b1 in order"])
        #expect(
            events == [
                .begins(pass: 0), .waits(pass: 0, bytes: 8), .begins(pass: 1), .waits(pass: 1, bytes: 8),
                .goesOn(pass: 0), .waits(pass: 0, bytes: 8), .goesOn(pass: 1), .ends(pass: 1), .goesOn(pass: 0),
                .ends(pass: 0),
            ])
    }

    /// Without channels, and a pass that has no other beside it.
    @Test(arguments: [(0, 2), (2, 1)]) func otherwiseTheyRunOneAfterAnother(channels: Int, count: Int) throws {
        let runner = PassRunner(channels: (0..<channels).map { _ in Doubling() })
        var seen: [String] = []
        try runner.run(
            ["a", "b"].prefix(count).map { pass($0, sums: 2) { seen.append($0) } }, alone: LocalStatistics())
        let all = ["a", "b"].flatMap { name in (1...2).flatMap { ["\(name)\($0)", "\(name)\($0) in order"] } }
        #expect(seen == Array(all.prefix(4 * count)) && runner.isInterleaving == (channels > 0))
    }

    @Test func aSumThatFailsEndsThem() throws {
        let channels = [Doubling(), Doubling()], runner = PassRunner(channels: channels)
        channels[1].failure = Failure()
        var seen: [String] = []
        #expect(throws: Failure.self) {
            try runner.run(["a", "b"].map { pass($0, sums: 3) { seen.append($0) } }, alone: LocalStatistics())
        }
        #expect(seen == ["a1", "b1", "a2"])
    }

    /// A sum that is under way gets on between the loops of the pass that computes, but not at each of them.
    @Test func sumsAreLookedAfterBetweenLoops() throws {
        let channels = [Doubling(), Doubling()]
        var loops = 0
        try PassRunner(channels: channels).run(
            [
                pass("a", sums: 1) { _ in },
                { _ in
                    let end = ContinuousClock.now + .milliseconds(20)
                    while ContinuousClock.now < end {
                        parallelFor(1) { _, _ in }
                        loops += 1
                    }
                },
            ], alone: LocalStatistics())
        #expect((1...200).contains(channels[0].advanced) && channels[1].advanced == 0, "\(channels[0].advanced)")
        #expect(loops > 2 * channels[0].advanced, "\(loops)")
    }
}
