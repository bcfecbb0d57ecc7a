import DataParallel
import Files
package import MessagePassing
package import NeuralNetwork
package import SystemPackage
package import TensorCore

/// Finds numbers that are not finite before they reach the weights, on all ranks together.
///
/// The step is skipped (weights stay, the statistics of batch normalisation go back to where they were) or ends the run.
/// Gradients are summed over all ranks before they are looked at, so every rank sees the same.
package final class NumberGuard {
    private let communicator: any Collective
    private let settings: RunConfiguration.Numbers
    private let statistics: [RunningStatistics]
    private let copies: [(mean: Tensor, variance: Tensor)]
    private var counts: [Int] = []
    package private(set) var skippedInARow = 0

    package init(_ settings: RunConfiguration.Numbers, statistics: [RunningStatistics], communicator: any Collective) {
        self.settings = settings
        self.statistics = statistics
        self.communicator = communicator
        copies = statistics.map { (Tensor($0.mean.shape), Tensor($0.variance.shape)) }
    }

    /// Remembers the statistics that a step will move.
    package func begin() {
        for (running, copy) in zip(statistics, copies) {
            copy.mean.copy(from: running.mean)
            copy.variance.copy(from: running.variance)
        }
        counts = statistics.map(\.batchesTracked)
    }

    /// Whether the step may update the weights: loss and gradients are finite on all ranks. Collective.
    ///
    /// `gradients` are those of all ranks together. A step that may not leaves the statistics as they were.
    package func accepts(loss: Double, gradients: [Tensor]) throws -> Bool {
        let isSound = loss.isFinite && gradients.allSatisfy(\.isFinite)
        guard try communicator.sum([isSound ? 0.0 : 1.0])[0] > 0 else {
            skippedInARow = 0
            return true
        }
        for (index, (running, copy)) in zip(statistics, copies).enumerated() {
            running.mean.copy(from: copy.mean)
            running.variance.copy(from: copy.variance)
            running.batchesTracked = counts[index]
        }
        skippedInARow += 1
        return false
    }

    /// What is said of a step that was not accepted; throws where it ends the run. Collective.
    ///
    /// - Parameters:
    ///   - losses: of this rank's micro-batches.
    ///   - pictures: names of the pictures in each of them.
    ///   - saved: the folder of the step, where it was saved.
    package func report(
        step: Int, losses: [Double], pictures: [[String]], saved: FilePath? = nil
    ) throws -> (message: String, pictures: [String]) {
        let suspects = zip(losses, pictures).filter { !$0.0.isFinite }.flatMap(\.1)
        let areThere = try communicator.sum([suspects.isEmpty ? 0.0 : 1.0])[0] > 0
        let mine = areThere ? suspects : pictures.flatMap { $0 }
        let all = try communicator.allGather(mine.joined(separator: "\n"))
        let names = all.flatMap { $0.split(separator: "\n").map(String.init) }
        let shown = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
        let what = areThere ? "the loss" : "a gradient"
        let message =
            "\(what) of step \(step) is not finite; its \(names.count) images: \(shown)"
            + (saved.map { "; `pixpro replay \($0.shown)` names the first operation that is not" } ?? "")
        let limit = settings.skipLimit
        guard settings.nonFinite == .skip, skippedInARow <= limit else {
            throw TrainingError(
                message + (settings.nonFinite == .skip ? "; \(limit) steps in a row were skipped before it" : "")
                    + ": lower optimizer.baseLearningRate or lengthen schedule.warmupEpochs; the last checkpoint is "
                    + "untouched")
        }
        return (message + "; the step is skipped (\(skippedInARow) in a row, at most \(limit))", names)
    }
}
