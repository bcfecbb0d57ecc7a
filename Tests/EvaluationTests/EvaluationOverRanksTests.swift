import Evaluation
import Learning
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// The scores of a small encoder on simulated ranks.
@Suite struct EvaluationOverRanksTests {
    private struct Unreadable: Error {}

    private static let side = 64

    /// Noise with a stripe whose direction is the class; the picture number `broken` cannot be read.
    private static func source(_ key: UInt64, count: Int, broken: Int? = nil) -> (PictureSource, labels: [Int]) {
        func load(_ index: Int) throws -> Tensor {
            if index == broken { throw Unreadable() }
            let picture = randomTensor([side, side, 3], key: key * 100 + UInt64(index), scale: 0.3)
            for place in 0..<side * side {
                let stripe = index % 2 == 0 ? place / side : place % side
                for c in 0..<3 { picture.floats[place * 3 + c] += stripe / 8 % 2 == 0 ? 1 : -1 }
            }
            return picture
        }
        let pictures = PictureSource(count: count, name: { "picture \(key)-\($0)" }, load: load)
        return (pictures, (0..<count).map { $0 % 2 })
    }

    private static func plan() -> EvaluationPlan {
        let (training, trainingLabels) = source(1, count: 22, broken: 5)
        let (validation, validationLabels) = source(2, count: 9)
        var plan = EvaluationPlan()
        plan.classification = .init(
            training: training, trainingLabels: trainingLabels, validation: validation,
            validationLabels: validationLabels, classes: 2)
        func pair(_ index: Int) throws -> ViewPairSource.Pair {
            let picture = try validation.load(index)
            return .init(view1: picture, view2: picture, box1: [0, 0, 1, 1], box2: [0.2, 0, 1, 1])
        }
        plan.correspondence = ViewPairSource(count: 7, name: { "pair \($0)" }, load: pair)
        return plan
    }

    private static func report(ranks count: Int) throws -> EvaluationReport {
        let reports = try SimulatedRanks(count, seed: 9).run { world in
            let encoder = try makeRandomEncoder(
                .tiny, seed: 3, pictures: source(3, count: 8).0, communicator: world)
            return try evaluateEncoder(encoder, plan: plan(), communicator: world)
        }
        #expect(reports.allSatisfy { $0 == reports[0] })
        return reports[0]
    }

    /// Ranks share the pictures: the scores of neighbours, linear probe and correspondence are those of one.
    @Test func anyNumberOfRanksGivesTheSameScores() throws {
        let alone = try Self.report(ranks: 1)
        #expect(alone.scores.map(\.name) == ["knn top-1", "linear top-1", "correspondence", "feature spread"])
        #expect(alone.skipped.map(\.name) == ["picture 1-5"])
        #expect(alone.scores[1].value > 0.7, "\(alone)")
        for count in [2, 3] {
            let report = try Self.report(ranks: count)
            #expect(report.skipped == alone.skipped)
            for (score, expected) in zip(report.scores, alone.scores) {
                #expect(abs(score.value - expected.value) < 0.02, "\(score), alone \(expected)")
                #expect(score.trained == expected.trained && score.scored == expected.scored)
            }
        }
    }

    @Test func ranksWithoutPicturesTakePartAndErrorsReachAll() throws {
        let outcomes = try SimulatedRanks(4).outcomes { world in
            let encoder = ResNet(.tiny, Scope(ModelState(seed: 1), path: "encoder"))
            var plan = Self.plan()
            plan.correspondence = nil
            plan.classification = .init(
                training: Self.source(1, count: 1).0, trainingLabels: [0], validation: Self.source(2, count: 1).0,
                validationLabels: [0], classes: 2)
            return try evaluateEncoder(encoder, plan: plan, communicator: world)
        }
        for outcome in outcomes {
            let error = #expect(throws: (any Error).self) { try outcome.get() }
            #expect("\(error!)".contains("1 training and 1 validation pictures of the classification score"))
        }
    }
}
