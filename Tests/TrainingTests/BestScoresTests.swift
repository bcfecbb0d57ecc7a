import Checkpointing
import Learning
import Testing
import Training

@Suite struct BestScoresTests {
    private func report(_ accuracy: Double, error: Double) -> EvaluationReport {
        EvaluationReport(scores: [
            Score(name: "accuracy", value: accuracy, trained: 1, scored: 1),
            Score(name: "noise", value: error, unit: "dB", better: .lower, trained: 0, scored: 1),
        ])
    }

    @Test func theBetterDirectionIsEachScoresOwnAndTheFirstOfEqualOnesStays() {
        var best = BestScores()
        _ = best.add(report(0.5, error: 3), step: 10)
        let second = best.add(report(0.4, error: 2), step: 20)
        #expect(second.scores.map(\.best) == [.init(value: 0.5, step: 10), .init(value: 2, step: 20)])
        let third = best.add(report(0.5, error: 2), step: 30)
        #expect(third.scores.map(\.best?.step) == [10, 20])
    }

    @Test func aScoreThatIsNoNumberIsNeverTheBest() {
        var best = BestScores()
        #expect(best.add(report(.nan, error: .nan), step: 1).scores.allSatisfy { $0.best == nil })
        #expect(best.add(report(0.1, error: 9), step: 2).scores.map(\.best?.step) == [2, 2])
        #expect(best.add(report(.nan, error: 9), step: 3).scores[0].best == nil)
    }

    @Test func aCheckpointKeepsThem() {
        let facts = CheckpointFacts(
            step: 40, samplesSeen: 400, seed: 1, bestScores: ["noise": .init(value: 1.5, step: 8)])
        var best = BestScores(facts)
        #expect(
            best.add(report(0.1, error: 2), step: 50).scores.map(\.best) == [
                .init(value: 0.1, step: 50), .init(value: 1.5, step: 8),
            ])
    }

    @Test func theTableShowsUnitsDirectionAndTheBest() {
        var best = BestScores()
        _ = best.add(report(0.5, error: 3), step: 10)
        let table = best.add(report(0.4, error: 2), step: 20).table
        #expect(table.contains("40.0 %") && table.contains("50.0 % (step 10)"), "\(table)")
        #expect(table.contains("noise (lower is better)") && table.contains("2.00 dB (step 20)"), "\(table)")
    }
}
