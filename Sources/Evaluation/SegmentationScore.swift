import Learning
import MessagePassing
import NeuralNetwork
package import TensorCore

/// Numbered pictures with a label for every pixel.
package struct LabelledPictureSource {
    package let count: Int
    package let name: (Int) -> String
    /// A picture [H, W, 3], normalised as in training, and its labels at their own resolution. Several threads call it
    /// at once; what it throws is the reason for which the picture is skipped.
    package let load: (Int) throws -> (image: Tensor, labels: PixelLabels)

    package init(
        count: Int, name: @escaping (Int) -> String,
        load: @escaping (Int) throws -> (image: Tensor, labels: PixelLabels)
    ) {
        self.count = count
        self.name = name
        self.load = load
    }
}

extension FeatureExtractor {
    /// Trains a segmentation probe and scores it, each rank with its own part of the pictures; their counts add up to
    /// one confusion matrix. Collective.
    ///
    /// Of more training pictures than have their features in `memory` bytes an evenly spread part is used. Labels that
    /// have less than two classes are an error; classes without a pixel are noted.
    func segmentation(
        training: LabelledPictureSource, validation: LabelledPictureSource, scheme: LabelScheme, seed: UInt64,
        memory: Int, progress: EvaluationProgress
    ) throws -> EvaluationReport {
        let limit = try pictureLimit(training, scheme, memory: memory)
        let indices = spread(training.count, limit: limit)
        var (pictures, skippedInTraining) = try extractPictures(training, indices, scheme) {
            try progress("segmentation features", $0, $1)
        }
        let trained = try holdOut(of: &pictures, seed: seed)
        let learned = try labelCounts(of: pictures, scheme)
        try learned.check()
        let probe = try SegmentationProbe(
            pictures: pictures, classes: scheme.classes, channels: encoder.top.channels,
            communicator: communicator
        ) { try progress("segmentation probe", $0, $1) }
        pictures = []
        var (confusion, scored, skipped) = try score(probe.classifier, validation, scheme) {
            try progress("segmentation score", $0, $1)
        }
        confusion.counts = try communicator.sum(confusion.counts)
        scored = Int(try communicator.sum([Int64(scored)])[0])
        guard scored > 0 else {
            throw try noPicture("validation", of: validation, try communicator.gathered(skipped))
        }
        let labelled = LabelCounts(part: "validation", ids: confusion.labelled, scheme: scheme)
        try labelled.check()
        let score = Score(
            name: "segmentation mIoU", value: confusion.meanIntersectionOverUnion!, trained: trained, scored: scored)
        return EvaluationReport(
            scores: [score], skipped: skippedInTraining + (try communicator.gathered(skipped)),
            notes: [learned.note, labelled.note].compactMap { $0 })
    }

    /// Of all ranks' training pictures, counted once for a picture and its mirror image. Collective.
    private func labelCounts(of pictures: [ProbePicture], _ scheme: LabelScheme) throws -> LabelCounts {
        var pixels = [Int64](repeating: 0, count: scheme.classes)
        for picture in pictures { picture.addPixels(to: &pixels) }
        return LabelCounts(part: "training", ids: try communicator.sum(pixels).map { Int($0) }, scheme: scheme)
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
                let cells = encoder.top.cells(image.shape[0]) * encoder.top.cells(image.shape[1])
                let blocks = labels.ids.count / (SegmentationProbe.blockSide * SegmentationProbe.blockSide)
                // Twice: the whitened features lie beside those of the encoder; and twice for the mirrored picture.
                let bytes = 2 * (2 * cells * encoder.top.channels * 4 + blocks * scheme.classes)
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

    /// This rank's training pictures, in order. They differ in size and pass one by one, each with its mirror image.
    private func extractPictures(
        _ source: LabelledPictureSource, _ indices: [Int], _ scheme: LabelScheme, progress: (Int, Int) throws -> Void
    ) throws -> (pictures: [ProbePicture], skipped: [SkippedPicture]) {
        var pictures: [ProbePicture] = []
        let skipped = try communicator.agree(on: "extracting segmentation features") {
            try loadInBatches(
                communicator.slice(of: indices), batchSize: ComputeThreads.shared.threads, name: source.name,
                load: loadChecked(source, scheme), progress: progress
            ) { loaded in
                for (_, picture) in loaded {
                    let maps = try map(stacked([picture.image, picture.image.mirrored]))
                    pictures.append(
                        ProbePicture(
                            upright: ProbeSample(map: maps.rows(0..<1), labels: picture.labels, scheme: scheme),
                            mirrored: ProbeSample(
                                map: maps.rows(1..<2), labels: picture.labels.mirrored, scheme: scheme)))
                }
            }
        }
        return (pictures, try communicator.gathered(skipped))
    }

    /// Marks a tenth of all ranks' pictures, the same whatever rank has them, and returns how many there are. Collective.
    private func holdOut(of pictures: inout [ProbePicture], seed: UInt64) throws -> Int {
        let counts = try communicator.allGather([pictures.count]).flatMap { $0 }
        let total = counts.reduce(0, +)
        guard total >= 2 else {
            throw EvaluationError(
                "\(total) training pictures with labels are left; at least 2 are needed: see the pictures that were "
                    + "skipped, and the folders of the segmentation score")
        }
        let first = counts[..<communicator.rank].reduce(0, +)
        for place in ProbeSchedule.split(total, seed: seed).heldOut where pictures.indices.contains(place - first) {
            pictures[place - first].isHeldOut = true
        }
        return total
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
        return EvaluationError(
            "none of the \(source.count) \(part) pictures of the segmentation score is usable\(first)")
    }
}

extension Tensor {
    /// A picture or map [H, W, C] with left and right exchanged.
    package var mirrored: Tensor {
        let (height, width, channels) = (shape[0], shape[1], shape[2])
        let result = Tensor(shape), source = floats, target = result.floats
        for y in 0..<height {
            for x in 0..<width {
                let from = (y * width + x) * channels, to = (y * width + width - 1 - x) * channels
                for c in 0..<channels { target[to + c] = source[from + c] }
            }
        }
        return result
    }
}
