import DataParallel
import ImagePipeline
import Inpainting
import Learning
import MessagePassing
import NeuralNetwork
import TensorCore
import TestSupport
import Testing

@Suite struct InpaintingTaskTests {
    static let side = 32

    private func settings(
        _ adversary: InpaintingLossSettings.Adversary = .wassersteinPenalty, _ form: HoleForm = .rectangle
    ) -> InpaintingSettings {
        var settings = InpaintingSettings()
        settings.model.channels = 2
        settings.model.learningRate = 1e-5
        settings.model.loss.criticSteps = 2
        settings.model.loss.adversary = adversary
        settings.data.imageSize = Self.side
        settings.data.holes = form == .free ? .strokes : .rectangles
        return settings
    }

    /// Pictures of an update by their places in it.
    private func batch(update: Int, _ places: Range<Int>) -> MaskedBatch {
        let side = Self.side, masks = Tensor.zeros([places.count, side, side, 1])
        let images = Tensor([places.count, side, side, 3])
        var windows: [PixelWindow] = []
        for (index, place) in places.enumerated() {
            images.rows(index..<index + 1).copy(
                from: randomTensor([1, side, side, 3], key: UInt64(1000 * update + place), scale: 0.5))
            let (top, left) = (place % 5 * 3, (place + update) % 4 * 4), shrink = place % 3
            windows.append(PixelWindow(top: top, left: left, height: side / 2, width: side / 2))
            for y in top + shrink..<top + side / 2 - shrink {
                for x in left..<left + side / 2 { masks.floats[(index * side + y) * side + x] = 1 }
            }
        }
        return MaskedBatch(images: images, masks: masks, windows: windows)
    }

    private struct Outcome {
        var losses: [Double] = []
        /// Of each module's first update.
        var gradients: [Int: [Float]] = [:]
        var weights: [Float] = []
        var metrics: [String: Double] = [:]
    }

    private func run(
        _ settings: InpaintingSettings, ranks: Int, microBatches: Int, steps: Int, repeatsBatch: Bool = false
    ) throws -> Outcome {
        let outcomes = try SimulatedRanks(ranks, seed: 5).run { communicator in
            let task = InpaintingTask(settings, seed: 7, engines: .exact)
            let step = try TrainingStep(task, communicator: communicator, mode: .inline)
            let plan = BatchPlan(global: 9, ranks: ranks, microBatches: microBatches)
            var outcome = Outcome(), update = 0
            for index in 0..<steps {
                var figures = Figures()
                for phase in task.phases {
                    var micro = 0
                    let result = try step.run(phase, plan, learningRate: settings.model.learningRate) {
                        defer { micro += 1 }
                        return batch(update: update, plan.images(ofMicroBatch: micro, rank: communicator.rank))
                    }
                    if !repeatsBatch { update += 1 }
                    figures.add(result.figures)
                    if outcome.gradients[phase.module] == nil {
                        outcome.gradients[phase.module] = task.modules[phase.module].parameters.flatMap {
                            $0.gradient!.array
                        }
                    }
                    outcome.losses.append(try communicator.sum([result.loss])[0])
                }
                outcome.metrics = task.observe(try figures.reduced(over: communicator), step: index).metrics
            }
            outcome.weights = task.states.flatMap(\.parameters).flatMap(\.value.array)
            return outcome
        }
        for other in outcomes.dropFirst() { #expect(other.weights == outcomes[0].weights) }
        return outcomes[0]
    }

    /// Whatever the number of ranks, losses are those of one, with pooled means and the penalty's places.
    @Test(arguments: [HoleForm.rectangle, .free], [1, 2]) func ranksComputeTheSameLosses(
        _ form: HoleForm, _ microBatches: Int
    ) throws {
        func outcome(_ ranks: Int) throws -> Outcome {
            try run(settings(.wassersteinPenalty, form), ranks: ranks, microBatches: microBatches, steps: 2)
        }
        let alone = try outcome(1)
        #expect(alone.losses.count == 6 && Set(alone.losses).count == 6)
        for ranks in 2...4 {
            let shared = try outcome(ranks)
            // Adam divides small gradients by themselves: weights that gradients hardly move drift apart.
            for (a, b) in zip(alone.losses, shared.losses) { #expect(abs(a - b) < 1e-4 * max(1, abs(a))) }
            #expect(abs(alone.losses[0] - shared.losses[0]) < 1e-6 * abs(alone.losses[0]))
            for module in 0..<2 {
                let (ours, theirs) = (shared.gradients[module]!, alone.gradients[module]!)
                #expect(relativeError(ours, theirs) < (module == 1 ? 1e-5 : 1e-3))
            }
        }
    }

    @Test func withoutCriticsTheGeneratorAloneLearns() throws {
        let task = InpaintingTask(settings(.none), seed: 1)
        #expect(task.modules.map(\.name) == ["generator"] && task.phases.map(\.name) == ["generator"])
        var fast = settings(.none)
        fast.model.learningRate = 1e-3
        let outcome = try run(fast, ranks: 1, microBatches: 1, steps: 12, repeatsBatch: true)
        #expect(outcome.losses.last! < outcome.losses.first! && outcome.metrics["critics.gap.global"] == nil)
    }

    @Test func theLogSaysWhichModuleLearns() throws {
        let outcome = try run(settings(), ranks: 2, microBatches: 1, steps: 1)
        let task = InpaintingTask(settings(), seed: 1)
        #expect(task.phases.map(\.lossName) == ["loss critics", "loss critics", "loss generator"])
        for name in ["critics.slope.global", "critics.gap.local", "generator.holeFine", "generator.adversarial.local"] {
            #expect(outcome.metrics[name]?.isFinite == true, "\(name) of \(outcome.metrics)")
        }
        #expect(abs(outcome.metrics["holeShare"]! - 0.22) < 0.05)
    }

    @Test func aCriticThatRunsAwayIsNamedOnce() {
        let task = InpaintingTask(settings(), seed: 1)
        func observe(slope: Double, clipped: Double, _ step: Int) throws -> [String] {
            var figures = Figures()
            for stage in ["hole coarse", "hole fine", "known coarse", "known fine"] {
                figures.add("generator \(stage)", sum: 1)
            }
            for critic in ["global", "local"] {
                figures.add("generator adversarial \(critic)", sum: 1)
                figures.add("critics adversarial \(critic)", sum: -1)
                figures.add("critics penalty \(critic)", sum: 1)
                figures.add("slope \(critic)", total: critic == "local" ? slope : 1, of: 1)
            }
            figures.add("clipped", total: clipped, of: 1)
            figures.add("hole", total: 0.2, of: 1)
            let totals = try figures.totals(of: figures.message(rank: 0, ranks: 1), ranks: 1)
            return task.observe(totals, step: step).warnings
        }
        func warnings(slope: Double, clipped: Double = 0) throws -> [String] {
            try (0..<60).flatMap { try observe(slope: slope, clipped: clipped, $0) }
        }
        #expect(throws: Never.self) {
            #expect(try warnings(slope: 1).isEmpty)
            let steep = try warnings(slope: 30)
            #expect(steep.count == 1 && steep[0].contains("runs away") && steep[0].contains("local 30"))
            let flat = try warnings(slope: 0)
            #expect(flat.count == 1 && flat[0].contains("says nothing any more"))
            let clipped = try warnings(slope: 1, clipped: 1)
            #expect(clipped.count == 1 && clipped[0].contains("100 %"))
        }
    }
}
