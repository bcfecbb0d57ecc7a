import Foundation
import ImagePipeline
import Learning
import NeuralNetwork
import TensorCore

/// What a step of inpainting says of generator and critics, and when it says that something went wrong.
struct InpaintingWatches {
    private var runaway = Patience(), flat = Patience(), clipped = Patience()

    /// Steps that something must last.
    static let patience = 20
    /// A slope is 1 where the penalty holds it; a critic whose slope is this many times that has run away.
    static let steep = 5.0
    /// A critic that is this flat tells nothing apart.
    static let flat = 0.02
    /// Share of the outputs at the ends of their range, where no gradient passes.
    static let mostClipped = 0.95

    /// Counts how many steps in a row something was so.
    private struct Patience {
        private var steps = 0

        /// Whether it has just lasted long enough: once until it ends.
        mutating func lasted(_ isSo: Bool) -> Bool {
            steps = isSo ? steps + 1 : 0
            return steps == InpaintingWatches.patience
        }
    }

    /// Adds what one rank has to say of the generator's outputs.
    func addFigures(of output: Generator.Output, _ batch: MaskedBatch, _ figures: inout Figures) {
        let values = output.fine.value.floats
        figures.add("clipped", total: Double(values.count { abs($0) >= 1 }), of: Double(values.count))
        figures.add(
            "hole", total: batch.masks.floats.reduce(0.0) { $0 + Double($1) }, of: Double(batch.masks.count))
    }

    /// The figures of a step by their names in metrics.jsonl, and what to warn of.
    mutating func observe(
        _ totals: Figures.Totals, step: Int, _ loss: InpaintingLossSettings
    ) -> StepObservation {
        var result = StepObservation(metrics: [
            "generator.holeCoarse": totals.sum("generator hole coarse"),
            "generator.holeFine": totals.sum("generator hole fine"),
            "generator.knownCoarse": totals.sum("generator known coarse"),
            "generator.knownFine": totals.sum("generator known fine"),
            "generator.clipped": totals.mean("clipped"), "holeShare": totals.mean("hole"),
        ])
        if clipped.lasted(totals.mean("clipped") > Self.mostClipped) {
            result.warnings.append(
                "the generator's losses say nothing any more: \(percent(totals.mean("clipped"))) of its output is at "
                    + "the ends of its range for \(Self.patience) steps up to step \(step), where no gradient passes; "
                    + "lower optimizer.learningRate or loss.adversarialWeight, and go back to an earlier checkpoint")
        }
        guard loss.hasCritics else { return result }
        for critic in ["global", "local"] {
            // Sums of several updates.
            let updates = Double(loss.criticSteps)
            result.metrics["critics.gap.\(critic)"] = -totals.sum("critics adversarial \(critic)") / updates
            result.metrics["critics.penalty.\(critic)"] = totals.sum("critics penalty \(critic)") / updates
            result.metrics["critics.slope.\(critic)"] = totals.mean("slope \(critic)")
            result.metrics["generator.adversarial.\(critic)"] = totals.sum("generator adversarial \(critic)")
        }
        let slopes = ["global", "local"].map { totals.mean("slope \($0)") }
        let named = "global \(significant(slopes[0])), local \(significant(slopes[1]))"
        if runaway.lasted(slopes.max()! > Self.steep) {
            result.warnings.append(
                "a critic runs away: the slopes are \(named) where the penalty wants 1, for \(Self.patience) steps up to "
                    + "step \(step); lower optimizer.learningRate, raise loss.penaltyWeight or the global batch (below "
                    + "16 pictures critics are unsteady), and go back to an earlier checkpoint")
        }
        if flat.lasted(slopes.min()! < Self.flat) {
            result.warnings.append(
                "a critic says nothing any more: the slopes are \(named) where 1 is wanted, for \(Self.patience) steps up "
                    + "to step \(step), so that the generator learns nothing of it; go back to an earlier checkpoint and "
                    + "lower optimizer.learningRate")
        }
        return result
    }

    private func percent(_ share: Double) -> String { "\(Int((100 * share).rounded())) %" }
}
