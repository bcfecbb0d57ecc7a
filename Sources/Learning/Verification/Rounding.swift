package import MessagePassing
package import NeuralNetwork
import TensorCore

/// One of the ways in which the last bits of a run can fall.
///
/// A rectifier whose input is within rounding of zero lets its gradient through or does not, as those bits fall, and
/// moves every gradient behind it by a thousandth; among the millions of a deep network there may be some, in exact sums
/// too. Losses and features hardly feel it. The method is proved where one rounding meets the reference in everything.
package struct Rounding: Sendable {
    /// As the weights make it.
    package static let first = Rounding(number: 1)
    /// How many are tried.
    package static let most = 8
    /// Of weights that leave their place, one in so many.
    private static let movedWeights = 4

    package let number: Int

    package init(number: Int) { self.number = number }

    /// Moves some weights to the next float32 above or below, so that everything behind them rounds anew: the same ones on
    /// every rank, none in the first rounding, and none that is 0, which no rounding makes something else.
    package func move(_ states: [ModelState]) {
        guard number > 1 else { return }
        var generator = KeyedGenerator(UInt64(number))
        for parameter in states.flatMap(\.parameters) {
            let weights = parameter.value.floats
            for index in weights.indices {
                let draw = generator.integer(below: 2 * Self.movedWeights)
                guard draw < 2, weights[index] != 0 else { continue }
                weights[index] = draw == 0 ? weights[index].nextUp : weights[index].nextDown
            }
            parameter.value.markChanged()
        }
    }

    /// The report of the first rounding that meets the reference, or else of the first one. Others are tried where nothing
    /// but what rectifiers move is past its tolerance, and where the first does the same when it is done again: what comes
    /// and goes is a fault. Collective; every rank tries the same ones.
    package static func search(
        over communicator: any Collective, _ run: (Rounding) throws -> VerificationReport
    ) throws -> VerificationReport {
        func allRanks(_ isSo: Bool) throws -> Bool { try communicator.minimum([isSo ? 1.0 : 0])[0] > 0 }
        var first = try run(.first)
        guard try allRanks(first.mayHangOnRounding) else { return first }
        guard try allRanks(run(.first).errors == first.errors) else {
            first.remarks.append(
                "done again, the same steps gave other figures: a fault of a host, of its memory or of the network, or of "
                    + "this program")
            return first
        }
        for number in 2...most {
            var report = try run(Rounding(number: number))
            guard try allRanks(report.passed) else { continue }
            report.remarks.append(
                "rounding \(number) meets the reference; in the first, \(first.failures) figures were past their tolerance: a "
                    + "rectifier's input is so near zero that its last bit decides")
            return report
        }
        first.remarks.append("none of \(most) roundings meets it; the first is shown")
        return first
    }
}
