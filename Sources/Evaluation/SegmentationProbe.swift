import TensorCore

/// How well a linear classifier of single C5 cells segments: a 1×1 convolution on frozen features, upsampled
/// bilinearly, trained by momentum SGD with a cosine, its learning rate chosen on a tenth of the training set.
///
/// Training compares with the labels' histograms in blocks of 4 × 4 pixels, at the blocks' centres: C5 cells are 32
/// pixels wide, so that the loss hardly differs and costs a sixteenth. Scores are taken at full label resolution.
public struct SegmentationProbe {
    public let classifier: LinearClassifier
    public let learningRate: Double

    /// What is kept of a training picture.
    public struct Sample {
        /// [map rows · map columns, C]
        let features: Tensor
        let mapRows: Int
        let mapColumns: Int
        /// Of the labels, in pixels.
        let height: Int
        let width: Int
        /// [rows of blocks, classes, columns of blocks]
        let histograms: [UInt8]

        init(features: Tensor, mapRows: Int, mapColumns: Int, height: Int, width: Int, histograms: [UInt8]) {
            self.features = features.reshaped([mapRows * mapColumns, features.count / (mapRows * mapColumns)])
            self.mapRows = mapRows
            self.mapColumns = mapColumns
            self.height = height
            self.width = width
            self.histograms = histograms
        }

        /// C5 of one picture [1, h, w, C] and its labels.
        public init(map: Tensor, labels: PixelLabels, scheme: LabelScheme) {
            self.init(
                features: map, mapRows: map.shape[1], mapColumns: map.shape[2], height: labels.height,
                width: labels.width, histograms: labels.histograms(scheme, every: blockSide))
        }
    }

    static let blockSide = 4
    static let batchSize = 8
    /// Enough to tell learning rates apart.
    static let trialEpochs = 20
    /// Rare classes are learnt last: after the trials' epochs a tenth of the score is still missing.
    static let epochs = 200

    /// Trains on at least two pictures.
    public init(
        samples: [Sample], classes: Int, seed: UInt64, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) rethrows {
        let scaling = FeatureScaling(samples.map(\.features))
        let scaled = samples.map { sample in
            Sample(
                features: scaling(sample.features), mapRows: sample.mapRows, mapColumns: sample.mapColumns,
                height: sample.height, width: sample.width, histograms: sample.histograms)
        }
        let resizers = Upsamplings(every: Self.blockSide)
        let split = ProbeSchedule.split(samples.count, seed: seed)
        let total = ProbeSchedule.learningRates.count * Self.trialEpochs + Self.epochs
        var done = 0
        func train(_ rows: [Int], _ rate: Double, epochs: Int) throws -> LinearClassifier {
            try Self.train(scaled, rows: rows, classes: classes, rate: rate, epochs: epochs, seed: seed, resizers) {
                done += 1
                try progress(done, total)
            }
        }
        learningRate = try ProbeSchedule.bestRate { rate in
            let classifier = try train(split.training, rate, epochs: Self.trialEpochs)
            return Self.blockScore(classifier, split.heldOut.map { scaled[$0] }, resizers)
        }
        classifier = try train(Array(samples.indices), learningRate, epochs: Self.epochs)
        scaling.fold(into: classifier)
    }

    private static func train(
        _ samples: [Sample], rows: [Int], classes: Int, rate: Double, epochs: Int, seed: UInt64,
        _ resizers: Upsamplings, epochEnded: () throws -> Void
    ) rethrows -> LinearClassifier {
        let classifier = LinearClassifier(classes: classes, channels: samples[0].features.shape[1])
        let stepsPerEpoch = (rows.count + batchSize - 1) / batchSize
        var step = 0
        for epoch in 0..<epochs {
            let order = shuffled(rows.count, key: seed, UInt64(epoch))
            for start in stride(from: 0, to: rows.count, by: batchSize) {
                var pixels = 0
                for place in order[start..<min(start + batchSize, rows.count)] {
                    let sample = samples[rows[place]]
                    let upsample = resizers[sample]
                    let gradient = upsample(classifier.logits(sample.features))
                    gradient.turnIntoCrossEntropyGradient(counts: sample.histograms)
                    classifier.accumulate(upsample.adjoint(gradient), features: sample.features)
                    pixels += sample.histograms.reduce(0) { $0 + Int($1) }
                }
                classifier.update(
                    learningRate: ProbeSchedule.rate(rate, step: step, of: epochs * stepsPerEpoch),
                    scale: 1 / Double(max(pixels, 1)))
                step += 1
            }
            try epochEnded()
        }
        return classifier
    }

    /// The mIoU of blocks' predictions against blocks' histograms.
    private static func blockScore(
        _ classifier: LinearClassifier, _ samples: [Sample], _ resizers: Upsamplings
    ) -> Double {
        var confusion = ConfusionMatrix(classes: classifier.classes)
        for sample in samples {
            let upsample = resizers[sample]
            let predicted = upsample(classifier.logits(sample.features)).largestClasses()
            let columns = upsample.columns
            for (block, prediction) in predicted.enumerated() {
                for label in 0..<classifier.classes {
                    let row = block / columns * classifier.classes + label
                    let pixels = Int(sample.histograms[row * columns + block % columns])
                    confusion.add(label: label, prediction: Int(prediction), pixels: pixels)
                }
            }
        }
        return confusion.meanIntersectionOverUnion
    }
}

/// Interpolations by size, since most pictures of a data set share theirs.
final class Upsamplings {
    private struct Key: Hashable { let mapRows, mapColumns, height, width: Int }

    private let every: Int
    private var made: [Key: BilinearUpsampling] = [:]

    init(every: Int) { self.every = every }

    subscript(sample: SegmentationProbe.Sample) -> BilinearUpsampling {
        self[sample.mapRows, sample.mapColumns, sample.height, sample.width]
    }

    subscript(mapRows: Int, mapColumns: Int, height: Int, width: Int) -> BilinearUpsampling {
        let key = Key(mapRows: mapRows, mapColumns: mapColumns, height: height, width: width)
        if let known = made[key] { return known }
        let upsampling = BilinearUpsampling(
            mapRows: mapRows, mapColumns: mapColumns, height: height, width: width, every: every)
        made[key] = upsampling
        return upsampling
    }
}

extension LinearClassifier {
    /// Adds the prediction for a picture's map [1, h, w, C] at label resolution; pixels without a class do not count.
    func score(
        _ map: Tensor, labels: PixelLabels, scheme: LabelScheme, into confusion: inout ConfusionMatrix,
        _ resizers: Upsamplings
    ) {
        let upsample = resizers[map.shape[1], map.shape[2], labels.height, labels.width]
        let predicted = upsample(logits(map.matrix(columns: map.shape[3]))).largestClasses()
        labels.ids.withUnsafeBufferPointer { ids in
            for (pixel, prediction) in predicted.enumerated() where scheme.isClass[Int(ids[pixel])] {
                confusion.add(label: Int(ids[pixel]), prediction: Int(prediction))
            }
        }
    }
}
