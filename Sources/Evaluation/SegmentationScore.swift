import MessagePassing
import TensorCore

/// Numbered pictures with a label for every pixel.
public struct LabelledPictureSource {
    public let count: Int
    public let name: (Int) -> String
    /// A picture [H, W, 3], normalised as in training, and its labels at their own resolution. Several threads call it
    /// at once; what it throws is the reason for which the picture is skipped.
    public let load: (Int) throws -> (image: Tensor, labels: PixelLabels)

    public init(
        count: Int, name: @escaping (Int) -> String,
        load: @escaping (Int) throws -> (image: Tensor, labels: PixelLabels)
    ) {
        self.count = count
        self.name = name
        self.load = load
    }
}

extension FeatureExtractor {
    /// Trains a segmentation probe on rank zero and scores it on all ranks, each with its own part of the pictures; their
    /// counts add up to the one confusion matrix. Collective.
    ///
    /// The training pictures' features are held by rank zero: of more than fit in `memory` bytes an evenly spread part
    /// is used.
    func segmentation(
        training: LabelledPictureSource, validation: LabelledPictureSource, scheme: LabelScheme, seed: UInt64,
        memory: Int, progress: EvaluationProgress
    ) throws -> (confusion: ConfusionMatrix, trained: Int, scored: Int, skipped: [SkippedPicture]) {
        let limit = try pictureLimit(training, scheme, memory: memory)
        let indices = spread(training.count, limit: limit)
        let (samples, skippedInTraining) = try gatherSamples(training, indices, scheme) {
            try progress("segmentation features", $0, $1)
        }
        let classifier = try trainOnRoot(samples, scheme, seed: seed) { try progress("segmentation probe", $0, $1) }
        var (confusion, scored, skipped) = try score(classifier, validation, scheme) {
            try progress("segmentation score", $0, $1)
        }
        confusion.counts = try communicator.sum(confusion.counts)
        scored = Int(try communicator.sum([Int64(scored)])[0])
        guard scored > 0 else {
            throw try noPicture("validation", of: validation, try communicator.gathered(skipped))
        }
        return (
            confusion, try communicator.directed("counting") { samples.count }, scored,
            skippedInTraining + (try communicator.gathered(skipped))
        )
    }

    /// How many training pictures fit in `memory`, judging by the first that can be read.
    private func pictureLimit(_ source: LabelledPictureSource, _ scheme: LabelScheme, memory: Int) throws -> Int {
        try communicator.directed("reading the segmentation pictures") {
            var skipped: [SkippedPicture] = []
            for index in 0..<source.count {
                let image: Tensor, labels: PixelLabels
                do { (image, labels) = try source.load(index) } catch {
                    // Reported by the extraction as well, unless no picture is left for it.
                    skipped.append(SkippedPicture(name: source.name(index), reason: "\(error)"))
                    continue
                }
                let cells = ((image.shape[0] + 31) / 32) * ((image.shape[1] + 31) / 32)
                let blocks = labels.ids.count / (SegmentationProbe.blockSide * SegmentationProbe.blockSide)
                // Twice the features: the scaled ones lie beside those of the encoder.
                let bytes = 2 * cells * encoder.architecture.outputChannels * 4 + blocks * scheme.classes
                return max(2, memory / bytes)
            }
            throw try noPicture("training", of: source, skipped)
        }
    }

    private func loadChecked(
        _ source: LabelledPictureSource, _ scheme: LabelScheme
    ) -> (Int) throws -> (image: Tensor, labels: PixelLabels) {
        return { index in
            let picture = try source.load(index)
            try picture.labels.check(scheme)
            return picture
        }
    }

    /// Training samples on rank zero, in order; none elsewhere. Pictures differ in size and pass one by one.
    private func gatherSamples(
        _ source: LabelledPictureSource, _ indices: [Int], _ scheme: LabelScheme, progress: (Int, Int) throws -> Void
    ) throws -> (samples: [SegmentationProbe.Sample], skipped: [SkippedPicture]) {
        var features: [Float] = []
        var histograms: [UInt8] = []
        var sizes: [Int] = []
        let skipped = try communicator.agree(on: "extracting segmentation features") {
            try loadInBatches(
                communicator.slice(of: indices), batchSize: ComputeThreads.shared.threads, name: source.name,
                load: loadChecked(source, scheme), progress: progress
            ) { loaded in
                for (_, picture) in loaded {
                    let map = try map(stacked([picture.image]))
                    let sample = SegmentationProbe.Sample(map: map, labels: picture.labels, scheme: scheme)
                    features += sample.features.floats
                    histograms += sample.histograms
                    sizes += [
                        sample.mapRows, sample.mapColumns, sample.height, sample.width, sample.histograms.count,
                    ]
                }
            }
        }
        let allFeatures = try communicator.gather(features)
        features = []
        let allHistograms = try communicator.gather(histograms)
        histograms = []
        let allSizes = try communicator.gather(sizes)
        var samples: [SegmentationProbe.Sample] = []
        for rank in allSizes.indices {
            samples += unpack(allSizes[rank], allFeatures[rank], allHistograms[rank])
        }
        return (samples, try communicator.gathered(skipped))
    }

    private func unpack(_ sizes: [Int], _ features: [Float], _ histograms: [UInt8]) -> [SegmentationProbe.Sample] {
        var samples: [SegmentationProbe.Sample] = []
        var feature = 0, histogram = 0
        for start in stride(from: 0, to: sizes.count, by: 5) {
            let (rows, columns) = (sizes[start], sizes[start + 1])
            let count = rows * columns * encoder.architecture.outputChannels
            samples.append(
                SegmentationProbe.Sample(
                    features: Tensor([count], Array(features[feature..<feature + count])), mapRows: rows,
                    mapColumns: columns, height: sizes[start + 2], width: sizes[start + 3],
                    histograms: Array(histograms[histogram..<histogram + sizes[start + 4]])))
            feature += count
            histogram += sizes[start + 4]
        }
        return samples
    }

    private func trainOnRoot(
        _ samples: [SegmentationProbe.Sample], _ scheme: LabelScheme, seed: UInt64, progress: (Int, Int) throws -> Void
    ) throws -> LinearClassifier {
        let classifier = LinearClassifier(classes: scheme.classes, channels: encoder.architecture.outputChannels)
        try communicator.agree(on: "training the segmentation probe") {
            guard communicator.isRoot else { return }
            guard samples.count >= 2 else {
                throw EvaluationError(
                    "\(samples.count) training pictures with labels are left; at least 2 are needed: see the pictures "
                        + "that were skipped, and the folders of the segmentation score")
            }
            let probe = try SegmentationProbe(samples: samples, classes: scheme.classes, seed: seed, progress: progress)
            classifier.weight.copy(from: probe.classifier.weight)
            classifier.bias.copy(from: probe.classifier.bias)
        }
        try communicator.broadcast(classifier.weight.floats)
        try communicator.broadcast(classifier.bias.floats)
        return classifier
    }

    /// This rank's part of the confusion matrix.
    private func score(
        _ classifier: LinearClassifier, _ source: LabelledPictureSource, _ scheme: LabelScheme,
        progress: (Int, Int) throws -> Void
    ) throws -> (ConfusionMatrix, scored: Int, skipped: [SkippedPicture]) {
        var confusion = ConfusionMatrix(classes: scheme.classes)
        var scored = 0
        let resizers = Upsamplings(every: 1)
        let skipped = try communicator.agree(on: "scoring segmentation") {
            try loadInBatches(
                communicator.slice(of: Array(0..<source.count)), batchSize: ComputeThreads.shared.threads,
                name: source.name, load: loadChecked(source, scheme), progress: progress
            ) { loaded in
                for (_, picture) in loaded {
                    classifier.score(
                        try map(stacked([picture.image])), labels: picture.labels, scheme: scheme, into: &confusion,
                        resizers)
                    scored += 1
                }
            }
        }
        return (confusion, scored, skipped)
    }

    private func noPicture(
        _ part: String, of source: LabelledPictureSource, _ skipped: [SkippedPicture]
    ) throws -> EvaluationError {
        let first = skipped.first.map { "; the first: \($0)" } ?? ""
        return EvaluationError("none of the \(source.count) \(part) pictures of the segmentation score is usable\(first)")
    }
}
