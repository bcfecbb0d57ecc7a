import DataParallel
import ImagePipeline
import Learning
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore
import TestSupport
import Testing

/// Both views and both networks at once, on simulated ranks, against one after another.
@Suite struct InterleavedViewsTests {
    private func settings(_ change: (inout PixelModelSettings) -> Void) -> PretrainingSettings {
        var settings = PretrainingSettings()
        settings.seed = 3
        settings.model.architecture = .tiny
        (settings.model.projectorWidth, settings.model.projectionChannels) = (16, 8)
        change(&settings.model)
        return settings
    }

    /// Four pairs, a part of which overlaps.
    private func batch(_ step: Int, _ images: Range<Int>) -> TwoViewBatch {
        func view(_ number: Int) -> Tensor {
            let parts = images.map { randomTensor([64, 64, 3], key: UInt64(100 * step + 10 * $0 + number)).array }
            return Tensor([images.count, 64, 64, 3], parts.flatMap { $0 })
        }
        func boxes(_ shift: Float) -> Tensor {
            Tensor([images.count, 4], images.flatMap { [0.1 * Float($0) * shift, 0, 0.5 + 0.1 * Float($0), 0.9] })
        }
        return TwoViewBatch(view1: view(1), view2: view(2), box1: boxes(0), box2: boxes(1))
    }

    /// Losses of three steps of two micro-batches, and all tensors after them, by rank.
    private func outcome(
        ranks: Int, interleaves: Bool, _ change: @escaping (inout PixelModelSettings) -> Void
    ) throws -> [(losses: [Double], tensors: [[Float]])] {
        try SimulatedRanks(ranks, seed: 5).run { world in
            let task = PretrainingTask(settings(change))
            for parameter in task.model.online.parameters where parameter.name.hasSuffix("bn2.weight") {
                parameter.value.fill(0.5)
            }
            let step = try TrainingStep(
                task, communicator: world, mode: .inline, interleavesPasses: interleaves)
            let plan = BatchPlan(global: 8, ranks: ranks, microBatches: 2)
            let losses = try (0..<3).map { number in
                step.moveAverages(ScheduleProgress(done: number, of: 3))
                var micro = 0
                return try step.run(task.phases[0], plan, learningRate: 0.1) {
                    defer { micro += 1 }
                    return batch(number, plan.images(ofMicroBatch: micro, rank: world.rank))
                }.loss
            }
            let states = [task.model.online, task.model.momentum]
            let tensors = states.flatMap { state in
                state.parameters.map(\.value.array) + state.statistics.flatMap { [$0.mean.array, $0.variance.array] }
            }
            return (losses, tensors)
        }
    }

    @Test(arguments: [2, 3]) func interleavedPassesGiveTheSameBits(ranks: Int) throws {
        let variants: [@Sendable (inout PixelModelSettings) -> Void] = [
            { _ in }, { $0.dialect = .paper }, { $0.instance.kind = .simclr },
        ]
        for variant in variants {
            let inTurn = try outcome(ranks: ranks, interleaves: false, variant)
            let interleaved = try outcome(ranks: ranks, interleaves: true, variant)
            for (one, other) in zip(inTurn, interleaved) {
                #expect(one.losses == other.losses && one.losses.allSatisfy(\.isFinite))
                #expect(one.tensors == other.tensors)
            }
        }
    }

    /// Nothing of a step outlives it: views, predictions, stacks.
    @Test func stepsLeaveNothingBehind() throws {
        final class Watched { weak var view: OnlineView? }
        let watched = Watched()
        try SimulatedRanks(2, seed: 1).run { world in
            let model = PixelModel(settings { _ in }.model, seed: 1)
            model.online.allocateGradients()
            let statistics = try SynchronizedStatistics(communicator: world, interleavesPasses: true)
            let batch = batch(0, 0..<2), view = OnlineView(model, view: batch.view1)
            let other = OnlineView(model, view: batch.view2)
            if world.rank == 0 { watched.view = view }
            var target: PixelModel.Target?
            try statistics.passes.run(
                [{ target = try model.target(batch.view2, statistics: $0) }, view.predict, other.predict],
                alone: statistics)
            let direction = PixelModel.Direction(
                targets: target!.pixels,
                positives: model.positives(query: batch.box1, key: batch.box2, imageSize: 64), imageWeights: [0.5])
            try statistics.passes.run(
                [{ _ = try view.learn(direction, $0) }, { _ = try other.learn(direction, $0) }], alone: statistics)
        }
        #expect(watched.view == nil)
    }
}
