import Learning
import MessagePassing
import TensorCore
import TestSupport
import Testing
import Training

@Suite struct FiguresTests {
    /// What all ranks get: the sums over ranks of their messages, as MPI makes them.
    private func reduced(_ ranks: [Figures]) throws -> Figures.Totals {
        let messages = ranks.enumerated().map { $1.message(rank: $0, ranks: ranks.count) }
        let sums = messages[0].indices.map { place in messages.reduce(0) { $0 + $1[place] } }
        return try ranks[0].totals(of: sums, ranks: ranks.count)
    }

    private func figures(_ rank: Int) -> Figures {
        var figures = Figures()
        figures.add("loss", sum: -1.5 * Double(rank + 1))
        figures.add("moments", sums: [1, Double(rank), 3])
        figures.add("share", total: Double(rank), of: 4)
        figures.add("deepest", maximum: -10 - Double(rank))
        figures.add("seconds", each: 2 * Double(rank))
        return figures
    }

    @Test func everyKindIsReducedInItsWay() throws {
        let totals = try reduced((0..<3).map(figures))
        #expect(totals.sum("loss") == -9)
        #expect(totals.sums("moments") == [3, 3, 9])
        #expect(totals.mean("share") == 0.25)
        #expect(totals.maximum("deepest") == -10)
        #expect(totals.each("seconds") == [0, 2, 4])
    }

    @Test func allRanksGetTheSameTotals() throws {
        let totals = try SimulatedRanks(3).run { try figures($0.rank).reduced(over: $0) }
        for totals in totals {
            #expect(totals.sum("loss") == -9 && totals.mean("share") == 0.25 && totals.maximum("deepest") == -10)
            #expect(totals.each("seconds") == [0, 2, 4])
        }
        let outcomes = try SimulatedRanks(2).outcomes { world in
            var figures = Figures()
            figures.add(world.isRoot ? "loss" : "cost", sum: 1)
            _ = try figures.reduced(over: world)
        }
        for outcome in outcomes { #expect(throws: FiguresError.self) { try outcome.get() } }
    }

    @Test func theOrderInWhichFiguresAreAddedDoesNotMatter() throws {
        var other = Figures()
        other.add("seconds", each: 2)
        other.add("deepest", maximum: -11)
        other.add("share", total: 1, of: 4)
        other.add("moments", sums: [1, 1, 3])
        other.add("loss", sum: -3)
        #expect(other.message(rank: 1, ranks: 2) == figures(1).message(rank: 1, ranks: 2))
    }

    @Test func ranksWithOtherFiguresAreFound() {
        var other = Figures(), renamed = Figures()
        other.add("loss", sum: 1)
        renamed.add("cost", sum: 1)
        #expect(throws: FiguresError.self) { try reduced([other, renamed]) }
    }
}

@Suite struct StepSummaryTests {
    private func summary(_ signals: [Int32], loss: Double = -1) throws -> StepSummary {
        let ranks = signals.enumerated().map { rank, signal in
            var figures = Figures()
            // Of two micro-batches.
            for part in [loss, 0.5] { figures.add("loss", sum: part) }
            let times = StepTimes(total: 4 + Double(rank), data: 1, communication: Double(rank))
            StepSummary.add(times: times, unreadable: rank, stopSignal: signal, to: &figures)
            return figures
        }
        let messages = ranks.enumerated().map { $1.message(rank: $0, ranks: ranks.count) }
        let sums = messages[0].indices.map { place in messages.reduce(0) { $0 + $1[place] } }
        return StepSummary(
            try ranks[0].totals(of: sums, ranks: ranks.count), phases: [TrainingPhase(name: "", module: 0)])
    }

    @Test func sumsAndMeansAreThoseOfAllRanks() throws {
        let summary = try summary([0, 0])
        #expect(summary.loss == -1 && summary.unreadable == 1 && summary.stopSignal == 0 && summary.losses.isEmpty)
        #expect(summary.times.total == 4.5 && summary.times.data == 1 && summary.times.communication == 0.5)
        #expect(summary.rankTimes.compute == Spread([3, 3]))
    }

    @Test func phasesHaveLossesOfTheirOwn() throws {
        var figures = Figures()
        figures.add("loss critic", sum: 3)
        figures.add("loss critic", sum: 1)
        figures.add("loss generator", sum: 2)
        StepSummary.add(times: StepTimes(), unreadable: 0, stopSignal: 0, to: &figures)
        let phases = [("critic", 1), ("critic", 1), ("generator", 0)].map { TrainingPhase(name: $0, module: $1) }
        let summary = StepSummary(
            try figures.totals(of: figures.message(rank: 0, ranks: 1), ranks: 1), phases: phases)
        #expect(summary.loss == 2 && summary.losses == ["critic": 4, "generator": 2])
    }

    @Test func aStopSignalIsOneThatWasReceived() throws {
        #expect(try summary([10, 15]).stopSignal == 15)
        #expect(try summary([0, 2, 0, 10]).stopSignal == 10)
        #expect(try summary([12]).stopSignal == 12)
    }

    @Test func lossesThatAreNotFiniteStaySo() throws {
        #expect(try summary([0, 0], loss: .nan).loss.isNaN)
        #expect(try summary([0, 0], loss: .infinity).loss == .infinity)
    }
}
