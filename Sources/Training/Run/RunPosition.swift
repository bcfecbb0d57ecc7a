package import Checkpointing

/// Where a run is, in numbers that mean the same at any number of ranks.
package struct RunPosition: Sendable, Equatable {
    /// Updates done.
    package var step = 0
    /// Images seen by all ranks together.
    package var samples = 0
    /// The epoch that the next batch belongs to, from 0.
    package var epoch = 0
    /// Images of that epoch seen so far.
    package var samplesInEpoch = 0

    package init() {}

    package init(_ facts: CheckpointFacts) {
        step = facts.step
        samples = facts.samplesSeen
        epoch = facts.counters["epoch"] ?? 0
        samplesInEpoch = facts.counters["samplesInEpoch"] ?? 0
    }

    var counters: [String: Int] { ["epoch": epoch, "samplesInEpoch": samplesInEpoch] }

    /// The position after a batch of `globalBatch` of an epoch of `count` images; an incomplete last batch is dropped.
    ///
    /// - Parameter finishingStep: whether the batch was the last of its step.
    package func advanced(by globalBatch: Int, epochOf count: Int, finishingStep: Bool = true) -> RunPosition {
        var next = self
        next.step += finishingStep ? 1 : 0
        next.samples += globalBatch
        next.samplesInEpoch += globalBatch
        return next.settled(globalBatch, epochOf: count)
    }

    /// The same place, in the next epoch if this one cannot fill another batch.
    package func settled(_ globalBatch: Int, epochOf count: Int) -> RunPosition {
        guard samplesInEpoch + globalBatch > count else { return self }
        var next = self
        next.epoch += 1
        next.samplesInEpoch = 0
        return next
    }

    /// The same place of a run whose epochs have become longer or shorter: the epoch in progress keeps the part of it
    /// that is done, in whole batches.
    package func moved(from oldCount: Int, to newCount: Int, globalBatch: Int) -> RunPosition {
        guard oldCount > 0, oldCount != newCount else { return self }
        var next = self
        let share = Double(samplesInEpoch) / Double(oldCount)
        next.samplesInEpoch = Int(share * Double(newCount)) / globalBatch * globalBatch
        return next
    }
}
