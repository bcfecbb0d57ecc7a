import Learning
import MessagePassing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Which roundings of a reference's steps are tried, and what makes them differ.
@Suite struct RoundingTests {
    /// A report with one figure of each kind, of which some are past their tolerance.
    private func report(failed: Set<String>, by error: Double = 1) -> VerificationReport {
        var report = VerificationReport(threads: [1])
        for step in 0..<2 {
            let isOff = failed.contains("loss \(step)")
            report.losses.append(.init(step: step, term: "", loss: isOff ? error : 0, expected: 0, allowed: 0.1))
        }
        for kind in ["features", "gradient", "penalty_gradient", "weights", "unit"] {
            report.tensors.append(.init(kind: kind, name: "a", error: failed.contains(kind) ? error : 0, allowed: 0.1))
        }
        return report
    }

    /// What two ranks find, and the roundings that each of them tried.
    private func search(
        _ run: @escaping (_ rank: Int, _ attempt: Int, Rounding) -> VerificationReport
    ) throws -> [(found: VerificationReport, tried: [Int])] {
        try SimulatedRanks(2).run { world in
            var tried: [Int] = []
            let found = try Rounding.search(over: world) { rounding in
                tried.append(rounding.number)
                return run(world.rank, tried.count, rounding)
            }
            return (found, tried)
        }
    }

    @Test func aRoundingThatMeetsTheReferenceEndsTheSearch() throws {
        for (found, tried) in try search({ _, _, rounding in
            report(failed: rounding.number < 3 ? ["gradient", "penalty_gradient", "weights", "loss 1"] : [])
        }) {
            #expect(tried == [1, 1, 2, 3] && found.passed)
            #expect(found.text.contains("rounding 3 meets the reference; in the first, 4 "), "\(found.text)")
            #expect(found.text.contains("\nverified on 1 rank"))
        }
        for (found, tried) in try search({ _, _, _ in report(failed: []) }) {
            #expect(tried == [1] && found.passed && !found.text.contains("rounding"))
        }
    }

    @Test(arguments: [["features"], ["loss 0"], ["unit"], ["gradient", "features"]] as [Set<String>])
    func whatNoRoundingExplainsIsNotTriedAgain(_ failed: Set<String>) throws {
        for (found, tried) in try search({ _, _, _ in report(failed: failed) }) {
            #expect(tried == [1] && found.failures == failed.count)
        }
    }

    /// What is wrong in all roundings stays wrong.
    @Test func aFaultIsNoRounding() throws {
        for (found, tried) in try search({ _, _, rounding in
            report(failed: ["gradient"], by: Double(rounding.number))
        }) {
            #expect(tried == [1, 1, 2, 3, 4, 5, 6, 7, 8] && !found.passed && found.tensors.map(\.error).max() == 1)
            let text = found.text
            #expect(text.contains("none of 8 roundings meets it") && text.contains("NOT verified"), "\(text)")
        }
    }

    /// A host that computes otherwise now and then is not excused, not even by NaN that stays NaN elsewhere.
    @Test func whatComesAndGoesIsAFault() throws {
        for (found, tried) in try search({ rank, attempt, _ in
            report(failed: rank == 0 || attempt == 1 ? ["gradient"] : [], by: rank == 0 ? .nan : 1)
        }) {
            #expect(tried == [1, 1] && !found.passed && found.text.contains("done again, the same steps gave other"))
        }
    }

    /// One rank's own fault, as of a unit case, ends the search on all: they do not wait for each other.
    @Test func ranksDecideTogether() throws {
        let found = try search { rank, _, _ in report(failed: rank == 1 ? ["gradient", "unit"] : ["gradient"]) }
        #expect(found.map(\.tried) == [[1], [1]] && found.allSatisfy { !$0.found.passed })
        let late = try search { rank, _, rounding in
            report(failed: rounding.number == 2 + rank || rounding.number == 4 ? [] : ["gradient"])
        }
        #expect(late.map(\.tried) == [[1, 1, 2, 3, 4], [1, 1, 2, 3, 4]] && late.allSatisfy { $0.found.passed })
    }

    @Test func weightsMoveByOneFloatAndOnEveryRankAlike() {
        func weights(_ number: Int) -> [Float] {
            let state = ModelState(seed: 1)
            _ = Linear(Scope(state), inputs: 40, outputs: 50, start: .xavier)
            Rounding(number: number).move([state])
            return state.parameters.flatMap { $0.value.array }
        }
        let first = weights(1), second = weights(2)
        #expect(second == weights(2) && weights(3) != second)
        let moved = zip(first, second).filter { $0 != $1 }
        #expect(moved.allSatisfy { $0 != 0 && ($1 == $0.nextUp || $1 == $0.nextDown) })
        #expect(first.contains(0) && 400...600 ~= moved.count, "\(moved.count) of \(first.count)")
    }

    /// Convolutions keep what they make of weights until those change.
    @Test func movedWeightsAreComputedWith() {
        let state = ModelState(seed: 1), convolution = Convolution2D(Scope(state), inputs: 32, outputs: 32, kernel: 3)
        let pass = Pass(mode: .evaluation), x = Variable(Tensor([1, 8, 8, 32], (0..<2048).map { Float($0 % 17) }))
        let before = convolution(x, pass).value.array
        Rounding(number: 2).move([state])
        let after = convolution(x, pass).value.array
        #expect(zip(before, after).contains { $0 != $1 } && zip(before, after).allSatisfy { abs($0 - $1) < 1e-3 })
    }
}
