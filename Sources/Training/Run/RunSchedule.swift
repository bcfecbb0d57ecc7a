package import Learning
package import Optimization

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
    /// Batches of a step.
    private let phases: Int
    private let evaluatesEvery: Int
    /// By module.
    private let learningRates: [LearningRateSchedule]

    /// - Parameters:
    ///   - images: of an epoch; at least one global batch.
    ///   - start: where the run begins or goes on.
    package init(
        _ configuration: RunConfiguration, _ task: some TrainingTask, globalBatch: Int, images: Int,
        from start: RunPosition = RunPosition()
    ) {
        epochs = configuration.schedule.epochs
        self.globalBatch = globalBatch
        phases = task.phases.count
        stepsPerEpoch = images / globalBatch
        let left = (epochs - start.epoch - 1) * stepsPerEpoch + (images - start.samplesInEpoch) / globalBatch
        totalSteps = min(start.step + (max(left, 0) + phases - 1) / phases, configuration.schedule.steps ?? .max)
        evaluatesEvery = configuration.evaluation.everyEpochs
        learningRates = task.learningRates(
            RunLength(
                globalBatch: globalBatch, epochImages: stepsPerEpoch * globalBatch, epochs: epochs,
                warmupEpochs: configuration.schedule.warmupEpochs))
    }

    /// Of the update of a module that follows.
    package func learningRate(ofModule index: Int = 0, at position: RunPosition) -> Double {
        learningRates[index].rate(at: progress(at: position))
    }

    /// The highest rate of the first module.
    package var peakLearningRate: Double { learningRates[0].rate }

    /// Images of an epoch: whole batches.
    package var epochImages: Int { stepsPerEpoch * globalBatch }

    /// Whether an epoch ended with the step before `position`.
    package func isAfterEpoch(_ position: RunPosition) -> Bool {
        position.epoch > 0 && position.samplesInEpoch < phases * globalBatch
    }

    package func isFinished(_ position: RunPosition) -> Bool {
        position.epoch >= epochs || position.step >= totalSteps
    }

    /// Whether scores are due at a position between two epochs.
    package func isEvaluationDue(at position: RunPosition) -> Bool {
        evaluatesEvery > 0 && (position.epoch.isMultiple(of: evaluatesEvery) || isFinished(position))
    }

    /// How far a run is at a position.
    package func progress(at position: RunPosition) -> ScheduleProgress {
        ScheduleProgress(done: position.epoch * epochImages + position.samplesInEpoch, of: epochs * epochImages)
    }
}
