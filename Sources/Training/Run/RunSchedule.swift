import Optimization

/// How long a run is and what its rates are at a position: values that are the same on every rank.
///
/// Rates follow epochs and the part that is done of one, so that they go on without a jump when a run is resumed on a
/// longer or shorter list of pictures.
package struct RunSchedule: Sendable {
    package let epochs: Int
    package let stepsPerEpoch: Int
    /// Updates of the whole run, those before `start` among them.
    package let totalSteps: Int
    private let globalBatch: Int
    private let evaluatesEvery: Int
    private let learningRates: LearningRateSchedule
    private let momenta: MomentumSchedule

    /// - Parameters:
    ///   - images: of an epoch; at least one global batch.
    ///   - start: where the run begins or goes on.
    package init(
        _ configuration: RunConfiguration, globalBatch: Int, images: Int, from start: RunPosition = RunPosition()
    ) {
        epochs = configuration.schedule.epochs
        self.globalBatch = globalBatch
        stepsPerEpoch = images / globalBatch
        let left = (epochs - start.epoch - 1) * stepsPerEpoch + (images - start.samplesInEpoch) / globalBatch
        totalSteps = min(start.step + max(left, 0), configuration.schedule.steps ?? .max)
        evaluatesEvery = configuration.evaluation.everyEpochs
        learningRates = LearningRateSchedule(
            baseRate: configuration.optimizer.baseLearningRate, globalBatch: globalBatch,
            warmupSamples: configuration.schedule.warmupEpochs * stepsPerEpoch * globalBatch)
        momenta = MomentumSchedule(base: configuration.method.baseMomentum)
    }

    /// Of the update that follows.
    package func learningRate(at position: RunPosition) -> Double { learningRates.rate(at: progress(at: position)) }

    /// The momentum encoder's coefficient in the update that follows.
    package func momentum(at position: RunPosition) -> Double { momenta.momentum(at: progress(at: position)) }

    package func isFinished(_ position: RunPosition) -> Bool {
        position.epoch >= epochs || position.step >= totalSteps
    }

    /// Whether scores are due at a position between two epochs.
    package func isEvaluationDue(at position: RunPosition) -> Bool {
        evaluatesEvery > 0 && (position.epoch.isMultiple(of: evaluatesEvery) || isFinished(position))
    }

    private func progress(at position: RunPosition) -> ScheduleProgress {
        let epoch = stepsPerEpoch * globalBatch
        return ScheduleProgress(samples: position.epoch * epoch + position.samplesInEpoch, total: epochs * epoch)
    }
}
