package import TensorCore

/// How well a linear classifier reads classes from frozen, pooled features: softmax regression by momentum SGD with a
/// cosine, its learning rate chosen on a tenth of the training set and then trained on all of it.
package struct LinearProbe {
    package let classifier: LinearClassifier
    package let learningRate: Double

    static let batchSize = 256

    /// 50 epochs, but at most 4,000 steps of 256 features; fewer features are a step all together.
    static func steps(_ count: Int) -> Int { min(max(50 * count / batchSize, 50), 4000) }

    /// Trains on features [n, C], n ≥ 2, and their classes.
    package init(
        features: Tensor, labels: [Int], classes: Int, seed: UInt64,
        progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) rethrows {
        precondition(features.shape[0] == labels.count, "\(labels.count) labels for features \(features.shape)")
        let scaling = FeatureScaling([features])
        let scaled = scaling(features)
        let runs = ProbeSchedule.learningRates.count + 1
        let split = ProbeSchedule.split(labels.count, seed: seed)
        let total = runs * Self.steps(labels.count)
        var done = 0
        func train(_ rows: [Int], _ rate: Double) throws -> LinearClassifier {
            try Self.train(scaled, labels, rows: rows, classes: classes, rate: rate, seed: seed) {
                done = min(done + 1, total)
                try progress(done, total)
            }
        }
        let heldOut = gathered(scaled, rows: split.heldOut)
        let heldOutLabels = split.heldOut.map { labels[$0] }
        learningRate = try ProbeSchedule.bestRate { rate in
            Self.accuracy(try train(split.training, rate), heldOut, heldOutLabels)
        }
        classifier = try train(Array(labels.indices), learningRate)
        scaling.fold(into: classifier)
        try progress(total, total)
    }

    /// The share of features [m, C] that get their own class.
    package func accuracy(of features: Tensor, labels: [Int]) -> Double {
        Self.accuracy(classifier, features, labels)
    }

    private static func accuracy(_ classifier: LinearClassifier, _ features: Tensor, _ labels: [Int]) -> Double {
        var hits = 0
        for start in stride(from: 0, to: labels.count, by: 4096) {
            let rows = start..<min(start + 4096, labels.count)
            let logits = classifier.logits(features.rows(rows))
            let predicted = logits.reshaped([rows.count, classifier.classes, 1]).largestClasses()
            hits += zip(rows, predicted).count { labels[$0] == Int($1) }
        }
        return Double(hits) / Double(max(labels.count, 1))
    }

    private static func train(
        _ features: Tensor, _ labels: [Int], rows: [Int], classes: Int, rate: Double, seed: UInt64,
        step: () throws -> Void
    ) rethrows -> LinearClassifier {
        let classifier = LinearClassifier(classes: classes, channels: features.shape[1])
        let batchSize = min(Self.batchSize, rows.count)
        let steps = Self.steps(rows.count), stepsPerEpoch = rows.count / batchSize
        var order: [Int] = []
        for index in 0..<steps {
            let place = index % stepsPerEpoch
            if place == 0 { order = shuffled(rows.count, key: seed, UInt64(index / stepsPerEpoch)) }
            let batch = order[place * batchSize..<(place + 1) * batchSize].map { rows[$0] }
            let input = gathered(features, rows: batch)
            var counts = [UInt8](repeating: 0, count: batchSize * classes)
            for (row, sample) in batch.enumerated() { counts[row * classes + labels[sample]] = 1 }
            let logits = classifier.logits(input)
            logits.reshaped([batchSize, classes, 1]).turnIntoCrossEntropyGradient(counts: counts)
            classifier.accumulate(logits, features: input)
            classifier.update(
                learningRate: ProbeSchedule.rate(rate, step: index, of: steps), scale: 1 / Double(batchSize))
            try step()
        }
        return classifier
    }
}

/// The rows `rows` of a matrix, copied one after another.
func gathered(_ matrix: Tensor, rows: [Int]) -> Tensor {
    let result = Tensor([rows.count, matrix.shape[1]])
    for (i, row) in rows.enumerated() { result.rows(i..<i + 1).copy(from: matrix.rows(row..<row + 1)) }
    return result
}
