import Checkpointing
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import Testing
import Training

@Suite struct RunScheduleTests {
    private func configuration(epochs: Int = 10) -> RunConfiguration {
        var configuration = RunConfiguration()
        configuration.schedule.epochs = epochs
        configuration.schedule.warmupEpochs = 2
        configuration.evaluation.everyEpochs = 4
        return configuration
    }

    private func makeSchedule(images: Int, from start: RunPosition = RunPosition()) -> RunSchedule {
        RunSchedule(configuration(), task, globalBatch: 8, images: images, from: start)
    }

    private let task: PretrainingTask = {
        var settings = PretrainingSettings()
        (settings.model.architecture, settings.model.projectorWidth) = (.tiny, 8)
        return PretrainingTask(settings)
    }()

    private func momentum(_ schedule: RunSchedule, _ position: RunPosition) -> Double {
        task.averages[0].coefficient.momentum(at: schedule.progress(at: position))
    }

    private func position(step: Int, epoch: Int, inEpoch: Int) -> RunPosition {
        var position = RunPosition()
        (position.step, position.samples, position.epoch, position.samplesInEpoch) = (step, step * 8, epoch, inEpoch)
        return position
    }

    /// From the first step to the last, whether it stops between or not.
    @Test func aRunVisitsItsPositionsOnce() {
        let schedule = makeSchedule(images: 30)
        #expect(schedule.stepsPerEpoch == 3 && schedule.totalSteps == 30)
        var here = RunPosition(), rates: [Double] = []
        while !schedule.isFinished(here) {
            rates.append(schedule.learningRate(at: here))
            // One that goes on from here has the same rates and the same length.
            let resumed = makeSchedule(images: 30, from: here)
            #expect(resumed.totalSteps == 30 && resumed.learningRate(at: here) == rates.last)
            #expect(momentum(resumed, here) == momentum(schedule, here))
            here = here.advanced(by: 8, epochOf: 30)
        }
        #expect(here.step == 30 && here.epoch == 10 && here.samplesInEpoch == 0)
        #expect(rates.max() == rates[6] && rates.last! < rates[6] / 10)
        #expect(
            (0...10).filter { schedule.isEvaluationDue(at: position(step: $0 * 3, epoch: $0, inEpoch: 0)) } == [
                0, 4, 8, 10,
            ])
    }

    /// Half-way through with ten times or a tenth of the pictures it is still half-way through.
    @Test(arguments: [40, 400, 4000]) func otherPicturesLeaveTheRatesWhereTheyWere(_ count: Int) {
        let before = position(step: 250 + 10, epoch: 5, inEpoch: 80)
        let schedule = makeSchedule(images: 400)
        let there = before.moved(from: 400, to: count, globalBatch: 8).settled(8, epochOf: count)
        let resumed = makeSchedule(images: count, from: there)
        #expect(
            there.epoch == 5 && there.samplesInEpoch == count / 5 && there.step == 260
                && there.samples == before.samples)
        #expect(abs(resumed.learningRate(at: there) / schedule.learningRate(at: before) - 1) < 1e-9)
        #expect(abs(momentum(resumed, there) - momentum(schedule, before)) < 1e-12)
        // It goes on for the epochs that are left, and to the end of its rates.
        var here = there
        while !resumed.isFinished(here) { here = here.advanced(by: 8, epochOf: count) }
        #expect(here.epoch == 10 && here.step == resumed.totalSteps)
        #expect(here.step == 260 + 4 * (count / 8) + count / 8 - count / 5 / 8)
    }

    @Test func aPartOfAnEpochStaysWholeBatches() {
        #expect(position(step: 1, epoch: 0, inEpoch: 24).moved(from: 40, to: 47, globalBatch: 24).samplesInEpoch == 24)
        #expect(position(step: 1, epoch: 0, inEpoch: 24).moved(from: 40, to: 30, globalBatch: 24).samplesInEpoch == 0)
        #expect(position(step: 1, epoch: 0, inEpoch: 24).moved(from: 40, to: 40, globalBatch: 7).samplesInEpoch == 24)
    }

    @Test func otherPicturesAreSaidWithBothCounts() {
        let old = PictureList(count: 40, fingerprint: 1 << 51), new = PictureList(count: 47, fingerprint: 1)
        let here = position(step: 2, epoch: 2, inEpoch: 24)
        #expect(old.warning(after: old, checkpoint: "x", at: here) == nil)
        #expect(
            new.warning(after: old, checkpoint: "runs/a/step", at: here)?.contains(
                "not those that runs/a/step was made with (47 now, 40 then): the run goes on with the new ones from epoch 3 on, "
                    + "51% of which") == true)
        let swapped = PictureList(count: 40, fingerprint: 2)
        #expect(
            swapped.warning(after: old, checkpoint: "x", at: here)?.contains("(40 now as then, but not the same ones)")
                == true)
    }

    @Test func checkpointsRememberTheirPictures() {
        let list = PictureList(count: 40, fingerprint: 1 << 52 - 5)
        var facts = CheckpointFacts(step: 1, samplesSeen: 8, seed: 1)
        #expect(PictureList(facts) == nil)
        facts.counters = list.counters
        #expect(PictureList(facts) == list)
    }

    /// A step of several batches ends where it began to: the last one goes on into the next epoch.
    @Test func alternationsAreWhole() {
        let task = TwoPhases()
        let schedule = RunSchedule(configuration(epochs: 2), task, globalBatch: 8, images: 40)
        #expect(schedule.totalSteps == 4)
        var here = RunPosition(), steps: [RunPosition] = []
        while !schedule.isFinished(here) {
            for phase in 0..<3 { here = here.advanced(by: 8, epochOf: 40, finishingStep: phase == 2) }
            steps.append(here)
        }
        #expect(steps.map(\.step) == [1, 2, 3, 4] && steps.map(\.epoch) == [0, 1, 1, 2])
        #expect(steps.map(schedule.isAfterEpoch) == [false, true, false, true])
    }
}

/// Two modules, the first of which moves twice for each update of the second.
private final class TwoPhases: TrainingTask {
    let modules: [TrainedModule] = []
    let phases = [0, 0, 1].map { TrainingPhase(name: "\($0)", module: $0) }
    let architectureFacts: [String: String] = [:]
    let summary = "two phases"

    func learningRates(_ length: RunLength) -> [LearningRateSchedule] {
        [0.1, 0.2].map { LearningRateSchedule(rate: $0, course: .constant) }
    }

    func samples(of pictures: ImageIndex) -> TwoViewTransform {
        TwoViewTransform(imageSize: 32, minimumCrop: 0.2, seed: 1)
    }

    func learn(_ batch: TwoViewBatch, _ part: BatchPart, _ figures: inout Figures) throws -> Double { 0 }

    func makeEvaluator(pictures: ImageIndex, communicator: any Collective) throws -> any TaskEvaluator {
        preconditionFailure("nobody scores it")
    }
}
