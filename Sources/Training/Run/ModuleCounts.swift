package import Checkpointing
package import Learning

/// What the updates of a module have seen and left out so far, on all ranks together.
package struct ModuleCounts: Sendable, Equatable {
    /// Images of its batches.
    package var samples = 0
    /// Updates that were left out because a number was not finite.
    package var skippedUpdates = 0

    package init(samples: Int = 0, skippedUpdates: Int = 0) {
        (self.samples, self.skippedUpdates) = (samples, skippedUpdates)
    }

    /// Of the modules of a task, from a checkpoint. Older ones counted images of all modules together, and no skipped
    /// updates.
    package static func modules(of task: some TrainingTask, _ facts: CheckpointFacts) -> [ModuleCounts] {
        task.modules.enumerated().map { index, module in
            let phases = task.phases.count { $0.module == index }
            return ModuleCounts(
                samples: facts.counters[samplesKey(module.name)] ?? facts.samplesSeen / task.phases.count * phases,
                skippedUpdates: facts.counters[skippedKey(module.name)] ?? 0)
        }
    }

    /// As a checkpoint keeps them, for the module of this name.
    func counters(_ name: String) -> [String: Int] {
        [Self.samplesKey(name): samples, Self.skippedKey(name): skippedUpdates]
    }

    private static func samplesKey(_ module: String) -> String { "samples.\(module)" }
    private static func skippedKey(_ module: String) -> String { "skippedUpdates.\(module)" }
}
