import Learning
import NeuralNetwork
import TensorCore
import Testing

/// Which roundings of a reference's steps are tried, and what makes them differ.
@Suite struct RoundingTests {
    /// A report with one figure of each kind, of which some are past their tolerance.
    private func report(failed: Set<String>, gradients: Int = 1) -> VerificationReport {
        var report = VerificationReport(threads: [1])
        for step in 0..<2 {
            let error = failed.contains("loss \(step)") ? 1.0 : 0
            report.losses.append(.init(step: step, term: "", loss: error, expected: 0, allowed: 0.1))
        }
        for kind in ["training kernels", "features", "weights"] + Array(repeating: "gradient", count: gradients) {
            report.tensors.append(.init(kind: kind, name: "a", error: failed.contains(kind) ? 1 : 0, allowed: 0.1))
        }
        return report
    }

    @Test func aRoundingThatMeetsTheReferenceEndsTheSearch() {
        var tried: [Int] = []
        let best = Rounding.best { rounding in
            tried.append(rounding.number)
            var report = report(failed: rounding.number < 3 ? ["gradient", "weights", "loss 1"] : [])
            report.rounding = rounding
            return report
        }
        #expect(tried == [1, 2, 3] && best.passed && best.rounding.number == 3)
        #expect(best.text.contains("rounding 3 of at most 8") && best.text.contains("verified on 1 rank"))
        #expect(!report(failed: []).text.contains("rounding"))
    }

    @Test(arguments: [[], ["features"], ["loss 0"], ["training kernels"], ["gradient", "features"]] as [Set<String>])
    func whatNoRoundingExplainsIsNotTriedAgain(_ failed: Set<String>) {
        var tried = 0
        let best = Rounding.best { _ in
            tried += 1
            return report(failed: failed)
        }
        #expect(tried == 1 && best.failures == failed.count)
    }

    /// What is wrong in all roundings stays wrong, and the nearest one is shown.
    @Test func aFaultIsNoRounding() {
        var tried = 0
        let best = Rounding.best { rounding in
            tried += 1
            var report = report(failed: ["gradient"], gradients: abs(5 - rounding.number) + 1)
            report.rounding = rounding
            return report
        }
        #expect(tried == Rounding.most && !best.passed && best.failures == 1 && best.rounding.number == 5)
        #expect(best.text.contains("NOT verified"))
    }

    @Test func weightsMoveByOneFloatAndOnEveryRankAlike() {
        func weights(_ number: Int) -> [Float] {
            let state = ModelState(seed: 1)
            _ = Linear(Scope(state), inputs: 40, outputs: 50)
            Rounding(number: number).move([state])
            return state.parameters.flatMap { $0.value.array }
        }
        let first = weights(1), second = weights(2)
        #expect(second == weights(2) && weights(3) != second)
        let moved = zip(first, second).filter { $0 != $1 }
        #expect(moved.allSatisfy { $1 == $0.nextUp || $1 == $0.nextDown })
        #expect(400...600 ~= moved.count, "\(moved.count) of \(first.count)")
    }
}
