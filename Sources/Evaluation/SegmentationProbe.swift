package import MessagePassing
package import TensorCore

/// How well a linear classifier of single C5 cells segments: a 1×1 convolution on frozen features, upsampled
/// bilinearly, trained until pictures that it does not see, a tenth, are predicted no better.
///
/// The problem is convex and all pictures count in every step, so that there is no learning rate to choose, and ranks
/// share the work: the result does not depend on their number beyond rounding. Training compares with the labels'
/// histograms in blocks of 8 × 8 pixels, at the blocks' centres: C5 cells are 32 pixels wide, so that the loss hardly
/// differs and costs a sixty-fourth. Scores are taken at full label resolution.
package struct SegmentationProbe {
    package let classifier: LinearClassifier
    package let steps: Int

    static let blockSide = 8
    /// Training ends when so many steps brought less than this share of the loss of pictures held out.
    private static let patience = 20, leastGain = 1e-3
    /// Far more than whitened features take: some thirty, on a few hundred pictures.
    private static let mostSteps = 300

    /// Trains on all ranks' pictures, of which at least one is held out and one is not. Collective.
    package init(
        pictures: [ProbePicture], classes: Int, channels: Int, communicator: any Collective,
        progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) throws {
        let whitening = try FeatureWhitening(
            pictures.flatMap { [$0.upright.features, $0.mirrored.features] }, channels: channels,
            communicator: communicator)
        let whitened = pictures.map { $0.mapFeatures { whitening($0) } }
        let loss = SegmentationLoss(classes: classes, channels: channels, communicator: communicator)
        func train(_ pictures: [ProbePicture], _ stepEnded: ([Double]) throws -> Bool) throws -> [Double] {
            let samples = pictures.flatMap { [$0.upright, $0.mirrored] }
            var search = QuasiNewton(from: loss.start)
            while try search.step({ try loss($0, samples) }), try stepEnded(search.point) {}
            return search.point
        }

        // What one rank throws here must reach the others, which would wait for it in the next step.
        func report(_ done: Int) throws {
            try communicator.agree(on: "training the segmentation probe") { try progress(done, 2 * Self.mostSteps) }
        }

        let heldOut = whitened.filter(\.isHeldOut).map(\.upright)
        var step = 0, best = (step: 1, loss: Double.infinity)
        _ = try train(whitened.filter { !$0.isHeldOut }) { point in
            step += 1
            try report(step)
            let value = try loss(point, heldOut).value
            if value < (1 - Self.leastGain) * best.loss { best = (step, value) }
            return step < min(best.step + Self.patience, Self.mostSteps)
        }
        let wanted = best.step
        step = 0
        let point = try train(whitened) { _ in
            step += 1
            try report(Self.mostSteps + step * Self.mostSteps / wanted)
            return step < wanted
        }
        steps = step
        classifier = loss.classifier
        loss.place(point)
        whitening.fold(into: classifier)
    }
}

/// What is kept of a training picture.
package struct ProbePicture {
    private(set) var upright: ProbeSample
    private(set) var mirrored: ProbeSample
    /// Whether it only decides when training ends.
    var isHeldOut: Bool

    package init(upright: ProbeSample, mirrored: ProbeSample, isHeldOut: Bool = false) {
        self.upright = upright
        self.mirrored = mirrored
        self.isHeldOut = isHeldOut
    }

    /// Adds the pixels of each class.
    func addPixels(to counts: inout [Int64]) {
        let columns = (upright.width + SegmentationProbe.blockSide - 1) / SegmentationProbe.blockSide
        for (place, count) in upright.histograms.enumerated() {
            counts[place / columns % counts.count] += Int64(count)
        }
    }

    func mapFeatures(_ change: (Tensor) -> Tensor) -> ProbePicture {
        var picture = self
        picture.upright.features = change(upright.features)
        picture.mirrored.features = change(mirrored.features)
        return picture
    }
}

/// The C5 map of a picture and its labels.
package struct ProbeSample {
    /// [map rows · map columns, C]
    fileprivate(set) var features: Tensor
    let mapRows: Int
    let mapColumns: Int
    /// Of the labels, in pixels.
    let height: Int
    let width: Int
    /// [rows of blocks, classes, columns of blocks]
    let histograms: [UInt8]
    let labelledPixels: Int

    /// `map` is [1, h, w, C] or [h, w, C].
    package init(map: Tensor, labels: PixelLabels, scheme: LabelScheme) {
        let side = map.shape.count - 3
        (mapRows, mapColumns) = (map.shape[side], map.shape[side + 1])
        features = map.reshaped([mapRows * mapColumns, map.shape[side + 2]])
        (height, width) = (labels.height, labels.width)
        histograms = labels.histograms(scheme, every: SegmentationProbe.blockSide)
        labelledPixels = histograms.reduce(0) { $0 + Int($1) }
    }
}

/// The mean cross-entropy of a classifier's upsampled predictions over the labelled pixels of all ranks.
private final class SegmentationLoss {
    let classifier: LinearClassifier
    private let communicator: any Collective
    private let resizers = Upsamplings(every: SegmentationProbe.blockSide)
    private var weights: Int { classifier.weight.count }

    init(classes: Int, channels: Int, communicator: any Collective) {
        classifier = LinearClassifier(classes: classes, channels: channels)
        self.communicator = communicator
    }

    /// Zero, which is the same for every encoder.
    var start: [Double] { .init(repeating: 0, count: weights + classifier.classes) }

    /// Makes `point`, all weights and then the biases, the classifier's.
    func place(_ point: [Double]) {
        for (i, value) in point.enumerated() {
            if i < weights {
                classifier.weight.floats[i] = Float(value)
            } else {
                classifier.bias.floats[i - weights] = Float(value)
            }
        }
    }

    /// The loss at `point` and its gradient. Collective.
    func callAsFunction(_ point: [Double], _ samples: [ProbeSample]) throws -> (value: Double, gradient: [Double]) {
        place(point)
        // In double precision, so that it does not matter which rank has which picture.
        var sums = [Double](repeating: 0, count: point.count + 2)
        let weightGradient = Tensor(classifier.weight.shape), biasGradient = Tensor([classifier.classes])
        for sample in samples {
            let upsample = resizers[sample]
            let logits = upsample(classifier.logits(sample.features))
            sums[point.count] += logits.turnIntoCrossEntropyGradient(counts: sample.histograms)
            sums[point.count + 1] += Double(sample.labelledPixels)
            let gradient = upsample.adjoint(logits)
            weightGradient.product(gradient, sample.features, transposeA: true)
            gradient.columnSums(into: biasGradient, beta: 0)
            for (i, value) in weightGradient.floats.enumerated() { sums[i] += Double(value) }
            for (i, value) in biasGradient.floats.enumerated() { sums[weights + i] += Double(value) }
        }
        sums = try communicator.sum(sums)
        let pixels = max(sums[point.count + 1], 1)
        return (sums[point.count] / pixels, sums[..<point.count].map { $0 / pixels })
    }
}

/// Interpolations by size, since most pictures of a data set share theirs.
package final class Upsamplings {
    private struct Key: Hashable { let mapRows, mapColumns, height, width: Int }

    private let every: Int
    private var made: [Key: BilinearUpsampling] = [:]

    package init(every: Int) { self.every = every }

    subscript(sample: ProbeSample) -> BilinearUpsampling {
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
    package func score(
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
