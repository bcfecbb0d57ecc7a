import Files
package import ImagePipeline
package import Learning
package import NeuralNetwork
package import TensorCore

/// What references hold of segmentation.
///
/// Beside what every reference has: `input.images` [K, N, 3, H, W] and `input.labels` [K, N, H, W], class ids or the one
/// that counts nowhere; the features `encoder` (C5) and `logits` at the output stride; `expected.evaluation.logits` of the
/// initial weights and running statistics on the first step's images.
///
/// Metadata: `arch`, `classes`, `channels`, `head_dilation`, `output_stride`, `ignore`, `trunk_norm` (`train` or `frozen`),
/// `sgd_momentum`, `weight_decay`, `weight_decay_1d`, `bias_lr_factor`.
package struct SegmentationReference: ReferenceSubject {
    package static let taskName: String? = "segmentation"

    package let reference: ReferenceFile
    package let images: Int
    package let lossParts: [String] = []
    private let settings: SegmentationSettings
    private let classes: Int
    private let height, width: Int

    package init(_ reference: ReferenceFile) throws {
        self.reference = reference
        settings = try reference.metadata.segmentationSettings()
        classes = try reference.metadata.number("classes", in: 2...255)
        let shape = try reference.shape(ofPictures: "input.images")
        (images, height, width) = (shape[1], shape[3], shape[4])
        try reference.require("input.labels", shape: [shape[0], images, height, width])
        // A model of that width is made next.
        let channels = settings.model.headChannels
        try reference.require("weights.decode_head.conv_seg.weight", shape: [classes, channels, 1, 1])
        try checkLossParts()
    }

    package func makeTask(engines: EngineList) -> SegmentationTask {
        SegmentationTask(settings, classNames: (0..<classes).map(String.init), seed: 0, engines: engines)
    }

    package func batch(step: Int, images: Range<Int>) throws -> LabelledBatch {
        let labels = try reference.rows("input.labels", step: step, images: images).array
        let ids = try labels.map { label in
            guard let id = UInt8(exactly: label), Int(id) < classes || Int(id) == settings.data.void else {
                throw ReferenceError(
                    description: "\(reference.path.shown): 'input.labels' has \(label), which is no class of \(classes)"
                )
            }
            return id
        }
        let pixels = height * width
        return LabelledBatch(
            images: try reference.pictures("input.images", step: step, images: images),
            labels: (0..<images.count).map { Array(ids[$0 * pixels..<($0 + 1) * pixels]) })
    }

    package func features(
        _ task: SegmentationTask, _ batch: LabelledBatch, _ pass: Pass
    ) throws -> [String: Tensor] {
        let (features, logits) = try task.segmenter(batch.images, pass)
        return ["encoder": features.value, "logits": logits.value]
    }

    package func compareFurther(_ task: SegmentationTask, _ comparison: ReferenceComparison) throws {
        let batch = try batch(ofStep: 0, images: comparison.images, over: comparison.communicator)
        let logits = try task.segmenter(
            batch.images, Pass(mode: .evaluation, convolutions: Convolutions(.exact))
        ).logits
        try comparison.compareMaps("evaluation", ["logits": logits.value])
    }
}

extension ReferenceMetadata {
    fileprivate func segmentationSettings() throws -> SegmentationSettings {
        var settings = SegmentationSettings()
        settings.model.architecture = try parsed("arch", ResNetArchitecture.init(rawValue:))
        settings.model.outputStride = try parsed("output_stride", OutputStride.init(rawValue:))
        settings.model.headChannels = try number("channels", in: 1...65_536)
        settings.model.headDilation = try number("head_dilation", in: 1...64)
        settings.model.trunkStatistics = try parsed("trunk_norm") { ["train": .trained, "frozen": .frozen][$0] }
        settings.data.void = try number("ignore", in: 0...255)
        settings.optimizer.momentum = try parsed("sgd_momentum", Double.init)
        settings.optimizer.weightDecay = try parsed("weight_decay", Double.init)
        settings.optimizer.vectorDecay = try parsed("weight_decay_1d", Double.init)
        settings.optimizer.biasRateFactor = try parsed("bias_lr_factor", Double.init)
        return settings
    }
}
