import Checkpointing
import NeuralNetwork
import PixelLearning
import Testing
import Training

@Suite struct ModuleCountsTests {
    private func counts(_ counters: [String: Int]) -> [ModuleCounts] {
        var settings = PretrainingSettings()
        (settings.model.architecture, settings.model.projectorWidth) = (.tiny, 8)
        return ModuleCounts.modules(
            of: PretrainingTask(settings), CheckpointFacts(step: 10, samplesSeen: 240, seed: 1, counters: counters))
    }

    @Test func eachModuleGoesOnFromItsOwnCounts() {
        #expect(
            counts(["samples.online": 168, "skippedUpdates.online": 3]) == [
                ModuleCounts(samples: 168, skippedUpdates: 3)
            ])
    }

    @Test func anOlderCheckpointKnowsTheImagesOfAll() {
        #expect(counts(["epoch": 1]) == [ModuleCounts(samples: 240, skippedUpdates: 0)])
    }
}
