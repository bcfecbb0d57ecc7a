import DataParallel
import DenseTasks
import ImagePipeline
import Learning
import NeuralNetwork
import Optimization
import TensorCore
import TestSupport
import Testing

/// What a detector has seen often enough it finds.
@Suite struct DetectionLearningTests {
    private func settings(_ convention: DetectionConvention) -> DetectionSettings {
        var settings = DetectionSettings()
        settings.model.architecture = .tiny
        (settings.model.channels, settings.model.towerDepth, settings.model.levels) = (32, 1, .p3ToP5)
        (settings.model.convention, settings.model.normalizesPyramid) = (convention, true)
        settings.model.sizeRanges = SizeRanges([32, 64])!
        settings.rule = DetectionRule(convention)
        return settings
    }

    private static let objects = [
        [TargetObject(box: Box(x: 8, y: 8, width: 24, height: 24), category: 0)],
        [
            TargetObject(box: Box(x: 4, y: 30, width: 28, height: 30), category: 1),
            TargetObject(box: Box(x: 36, y: 4, width: 22, height: 20), category: 0),
        ],
    ]

    /// Two images of 64 × 64 with rectangles of a colour for each class.
    private func batch() -> DetectionBatch {
        let batch = DetectionBatch(count: 2, sideMultiple: 32)
        for (place, objects) in Self.objects.enumerated() {
            let image = randomTensor([64, 64, 3], key: UInt64(place), scale: 0.1)
            for object in objects {
                for y in Int(object.box.y)..<Int(object.box.bottom) {
                    for x in Int(object.box.x)..<Int(object.box.right) {
                        image.floats[(y * 64 + x) * 3 + 2 * object.category] = 2
                    }
                }
            }
            batch.images[place] = image
            batch.objects[place] = objects
        }
        return batch
    }

    @Test(arguments: DetectionConvention.allCases) func whatWasLearnedIsFound(_ convention: DetectionConvention) throws
    {
        let (losses, found) = try SimulatedRanks(1).run { communicator -> ([Double], [[FoundObject]]) in
            let task = DetectionTask(
                settings(convention),
                categories: ["red", "blue"].enumerated().map { AnnotatedCategory(id: $0 + 1, name: $1) },
                seed: 1)
            let step = try TrainingStep(task, communicator: communicator, mode: .inline)
            let losses = try (0..<150).map { index in
                try step.run(
                    task.phases[0], BatchPlan(global: 2, ranks: 1), learningRate: index < 120 ? 0.05 : 0.01,
                    next: { batch() }
                ).loss
            }
            let maps = try task.detector(batch().padded(height: 64, width: 64), Pass(mode: .training))
            let found = task.detector.detections(maps, sizes: [(64, 64), (64, 64)], task.settings.rule)
            return (losses, found)
        }[0]
        #expect(losses.last! < 0.5 * losses[0], "\(losses[0]), … \(losses.suffix(3))")
        for (objects, found) in zip(Self.objects, found) {
            for object in objects {
                let best = found.filter { $0.category == object.category }.map { $0.box.overlap(object.box) }.max() ?? 0
                #expect(best > 0.6, "\(object) among \(found.prefix(5))")
            }
        }
    }
}
