import Glibc

/// How much of the wall time will be in steps that count, where hosts fail now and then.
///
/// A failure costs half the time since the last checkpoint on average, its detection, and a restart; checkpoints cost what
/// they take: Young (1974), "A first order approximation to the optimum checkpoint interval"; Daly (2006) refines it for
/// failures that are about as frequent as checkpoints.
package struct GoodputPrediction: Sendable, Equatable {
    package struct Costs: Sendable, Equatable {
        /// Of each node, in a year.
        package var failuresPerNodeYear: Double
        /// Seconds from a failure to the end of the job.
        package var detection: Double
        /// Seconds from there to the next step.
        package var restart: Double
        /// Seconds that a checkpoint keeps ranks from training.
        package var checkpoint: Double
        /// Seconds of training from one checkpoint to the next.
        package var interval: Double

        package init(
            failuresPerNodeYear: Double, detection: Double, restart: Double, checkpoint: Double, interval: Double
        ) {
            (self.failuresPerNodeYear, self.detection, self.restart) = (failuresPerNodeYear, detection, restart)
            (self.checkpoint, self.interval) = (checkpoint, interval)
        }
    }

    /// Effective time ÷ wall time.
    package let share: Double
    /// Seconds from one failure to the next; infinite where none comes.
    package let secondsBetweenFailures: Double
    /// Young's: the interval that would cost least, in seconds.
    package let bestInterval: Double

    package init(_ costs: Costs, nodes: Int) {
        let rate = Double(nodes) * costs.failuresPerNodeYear / Self.year
        secondsBetweenFailures = rate > 0 ? 1 / rate : .infinity
        let lost = costs.interval / 2 + costs.checkpoint + costs.detection + costs.restart
        share = 1 / (1 + costs.checkpoint / costs.interval + rate * lost)
        bestInterval = (2 * costs.checkpoint / rate).squareRoot()
    }

    private static let year = 365.25 * 86_400
}
