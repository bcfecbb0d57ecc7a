import Checkpointing
import Files
import ImagePipeline
package import Learning
import MessagePassing
package import NeuralNetwork
package import TensorCore

/// What references hold of detection.
///
/// Beside what every reference has: `input.images` [K, N, 3, H, W], padded already; `input.boxes` [K, N, M, 4] as left, top,
/// right and bottom in pixels and `input.labels` [K, N, M], −1 where there is no box; `input.sizes` [K, N, 2], height and
/// width without padding; the parts `expected.loss.cls|reg|ctr`; the features `encoder` (C5) and, of each level l,
/// `level<l>.pyramid|logits|distances|centerness`. Of the first step, for the P points of an image level by level and row
/// by row, `expected.targets.box|centerness` [N, P] and `expected.targets.distances` [N, P, 4], box being −1 for background;
/// and what is found in its images with the initial weights, `expected.detections.boxes` [N, D, 4],
/// `expected.detections.scores|classes|points` [N, D] and `expected.detections.count` [N], with the largest differences of
/// the reference's own float32 run as `drift.detections.boxes|scores` [1].
///
/// Metadata: `arch`, `classes`, `channels`, `tower_depth`, `levels` and `ranges` (with commas), `pyramid_norm` (`none` or
/// `bn`), `trunk_norm` (`train` or `frozen`), `convention`, `sgd_momentum`, `weight_decay`, `weight_decay_1d`,
/// `bias_lr_factor`.
package struct DetectionReference: ReferenceSubject {
    package static let taskName: String? = "detection"

    package let reference: ReferenceFile
    package let images: Int
    package let lossParts = ["cls", "reg", "ctr"]
    let settings: DetectionSettings
    /// Places for boxes of an image.
    private let slots: Int

    package init(_ reference: ReferenceFile) throws {
        self.reference = reference
        settings = try reference.metadata.detectionSettings()
        let shape = try reference.shape(ofPictures: "input.images")
        images = shape[1]
        slots = try reference.shape(of: "input.labels").last ?? 0
        try checkShapes(steps: shape[0])
        try checkLossParts()
    }

    /// Throws unless inputs are whole, and the network as wide as the metadata says: one of that width is made next.
    private func checkShapes(steps: Int) throws {
        try reference.require("input.labels", shape: [steps, images, slots])
        try reference.require("input.boxes", shape: [steps, images, slots, 4])
        try reference.require("input.sizes", shape: [steps, images, 2])
        let model = settings.model, channels = model.channels
        try reference.require("weights.cls_logits.weight", shape: [model.classes, channels, 3, 3])
        for tower in ["cls", "bbox"] where model.towerDepth > 0 {
            try reference.require("weights.tower_\(tower).\(model.towerDepth - 1).gn.bias", shape: [channels])
        }
    }

    package func makeTask(engines: EngineList) -> DetectionTask {
        DetectionTask(
            settings,
            categories: (0..<settings.model.classes).map { AnnotatedCategory(id: $0, name: String($0)) }, seed: 0,
            engines: engines)
    }

    package func batch(step: Int, images: Range<Int>) throws -> DetectionBatch {
        let batch = DetectionBatch(count: images.count, sideMultiple: 1)
        let pictures = try reference.pictures("input.images", step: step, images: images)
        let boxes = try reference.rows("input.boxes", step: step, images: images).array.map { Double($0) }
        let labels = try reference.rows("input.labels", step: step, images: images).array
        for image in 0..<images.count {
            batch.images[image] = pictures.rows(image..<image + 1).copy().reshaped(Array(pictures.shape.dropFirst()))
            batch.objects[image] = try (image * slots..<(image + 1) * slots).filter { labels[$0] >= 0 }.map { at in
                let category = try whole(labels[at], below: settings.model.classes, in: "input.labels")
                let box = Box(
                    left: boxes[4 * at], top: boxes[4 * at + 1], right: boxes[4 * at + 2], bottom: boxes[4 * at + 3])
                return TargetObject(box: box, category: category)
            }
        }
        return batch
    }

    /// A whole number of a tensor, not negative.
    func whole(_ value: Float, below limit: Int, in name: String) throws -> Int {
        guard let number = Int(exactly: value), (0..<limit).contains(number) else {
            throw ReferenceError(
                description:
                    "\(reference.path.shown): '\(name)' has \(value), where a whole number below \(limit) is due")
        }
        return number
    }

    package func features(
        _ task: DetectionTask, _ batch: DetectionBatch, _ pass: Pass
    ) throws -> [String: Tensor] {
        let (height, width) = batch.largest
        let maps = try task.detector(batch.padded(height: height, width: width), pass)
        var named = ["encoder": maps.features.value]
        for (number, (pyramid, level)) in zip(settings.model.levels.numbers, zip(maps.pyramid, maps.levels)) {
            named["level\(number).pyramid"] = pyramid.value
            named["level\(number).logits"] = level.logits.value
            named["level\(number).distances"] = level.distances.value
            named["level\(number).centerness"] = level.centerness.value
        }
        return named
    }

    package func compareFurther(_ task: DetectionTask, _ comparison: ReferenceComparison) throws {
        let batch = try batch(ofStep: 0, images: comparison.images, over: comparison.communicator)
        let (height, width) = batch.largest
        let pass = Pass(mode: .evaluation, convolutions: Convolutions(.exact))
        let maps = try task.detector(batch.padded(height: height, width: width), pass)
        try compareTargets(FCOSTargets(maps.points, objects: batch.objects.all), maps.points, comparison)
        let (sizes, expected) = try comparison.communicator.agree(on: "reading detections") {
            let sizes = try reference.rows("input.sizes", step: 0, images: comparison.images).array
            func size(_ image: Int, _ axis: Int, _ limit: Int) throws -> Int {
                try whole(sizes[2 * image + axis], below: limit + 1, in: "input.sizes")
            }
            return (
                try (0..<comparison.images.count).map { (try size($0, 0, height), try size($0, 1, width)) },
                try comparison.images.map { try expectedDetections($0, points: maps.points.count) }
            )
        }
        try compare(task.detector.detections(maps, sizes: sizes, settings.rule), expected, comparison)
    }
}

extension ReferenceMetadata {
    fileprivate func detectionSettings() throws -> DetectionSettings {
        var settings = DetectionSettings(), model = DetectorSettings()
        model.architecture = try parsed("arch", ResNetArchitecture.init(rawValue:))
        model.classes = try number("classes", in: 1...65_536)
        model.channels = try number("channels", in: 1...65_536)
        model.towerDepth = try number("tower_depth", in: 0...16)
        model.levels = try parsed("levels") { text in
            DetectorLevels(text.split(separator: ",").map { Int($0) ?? 0 })
        }
        model.sizeRanges = try parsed("ranges") { text in
            SizeRanges(text.split(separator: ",").map { Double($0) ?? -1 })
        }
        model.normalizesPyramid = try parsed("pyramid_norm") { ["none": false, "bn": true][$0] }
        model.trunkStatistics = try parsed("trunk_norm") { ["train": .trained, "frozen": .frozen][$0] }
        model.convention = try parsed("convention", DetectionConvention.init(rawValue:))
        guard model.channels.isMultiple(of: DetectorTower.groups),
            model.sizeRanges.ends.count == model.levels.numbers.count - 1
        else {
            throw ReferenceError(
                description:
                    "\(path.shown): metadata 'channels' must be a multiple of \(DetectorTower.groups), and 'ranges' one "
                    + "number less than 'levels'")
        }
        settings.model = model
        settings.rule = DetectionRule(model.convention)
        settings.optimizer.momentum = try parsed("sgd_momentum", Double.init)
        settings.optimizer.weightDecay = try parsed("weight_decay", Double.init)
        settings.optimizer.vectorDecay = try parsed("weight_decay_1d", Double.init)
        settings.optimizer.biasRateFactor = try parsed("bias_lr_factor", Double.init)
        return settings
    }
}
