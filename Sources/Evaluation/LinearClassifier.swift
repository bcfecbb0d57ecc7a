import Glibc
package import TensorCore

/// Softmax regression: logits = features · weightᵀ + bias, learnt from zero.
///
/// The problem is convex, so that the result does not hang on a start; zero is the same for every encoder.
package final class LinearClassifier {
    /// [classes, C]
    package let weight: Tensor
    /// [classes]
    package let bias: Tensor
    private let weightVelocity, biasVelocity, weightGradient, biasGradient: Tensor
    private var gradientIsEmpty = true

    package init(classes: Int, channels: Int) {
        weight = .zeros([classes, channels])
        bias = .zeros([classes])
        weightVelocity = .zeros([classes, channels])
        biasVelocity = .zeros([classes])
        weightGradient = Tensor([classes, channels])
        biasGradient = Tensor([classes])
    }

    package var classes: Int { bias.count }

    /// Features [n, C] → [n, classes].
    package func logits(_ features: Tensor) -> Tensor {
        let logits = Tensor([features.shape[0], classes])
        logits.product(features, weight, transposeB: true)
        logits.addToRows(bias)
        return logits
    }

    /// bias ← bias + weight · features, of one feature [C].
    func addToBias(weighted features: [Float]) {
        let weight = weight.floats, channels = features.count
        for k in 0..<classes {
            var sum = 0.0
            for c in 0..<channels { sum += Double(weight[k * channels + c]) * Double(features[c]) }
            bias.floats[k] += Float(sum)
        }
    }

    /// Adds what the loss's gradient for the logits of `features` [n, classes] says about the weights.
    func accumulate(_ gradient: Tensor, features: Tensor) {
        let beta: Float = gradientIsEmpty ? 0 : 1
        weightGradient.product(gradient, features, transposeA: true, beta: beta)
        gradient.columnSums(into: biasGradient, beta: beta)
        gradientIsEmpty = false
    }

    /// Moves against the accumulated gradient times `scale`, and clears it.
    func update(learningRate: Double, scale: Double) {
        guard !gradientIsEmpty else { return }
        for (gradient, value, velocity) in [
            (weightGradient, weight, weightVelocity), (biasGradient, bias, biasVelocity),
        ] {
            gradient.momentumStep(
                weight: value, velocity: velocity, decay: 0, scale: Float(scale), momentum: 0.9,
                learningRate: Float(learningRate))
        }
        gradientIsEmpty = true
    }
}

/// What a probe tries and how long it trains.
enum ProbeSchedule {
    /// Learning rates tried for every encoder, since optima differ between encoders. Scaled features (`FeatureScaling`)
    /// make one list fit all widths.
    static let learningRates = [0.3, 1, 3, 10.0]

    /// A cosine from `rate` to zero.
    static func rate(_ rate: Double, step: Int, of steps: Int) -> Double {
        rate * (1 + cos(.pi * Double(step) / Double(steps))) / 2
    }

    /// The tenth of 0..<count that only chooses the learning rate, and the rest.
    static func split(_ count: Int, seed: UInt64) -> (heldOut: [Int], training: [Int]) {
        let order = shuffled(count, key: seed, 0x686F_6C64)
        let heldOut = max(1, count / 10)
        return (Array(order[..<heldOut]), Array(order[heldOut...]))
    }

    /// The learning rate whose training scores best on what was held out; the first of equals.
    static func bestRate(_ score: (Double) throws -> Double) rethrows -> Double {
        var best = (rate: learningRates[0], score: -Double.infinity)
        for rate in learningRates {
            let value = try score(rate)
            if value > best.score { best = (rate, value) }
        }
        return best.rate
    }
}

/// Brings every channel to mean 0 and the same variance, and features to a mean squared length of 1, so that one range of
/// learning rates fits encoders of any width and scale. An affine map per channel: a linear probe can express no more.
struct FeatureScaling {
    private let scale: [Float]
    private let shift: [Float]

    /// Measured on rows of all `features` […, C].
    init(_ features: [Tensor]) {
        let channels = features[0].shape.last!
        var moments = [Double](repeating: 0, count: 2 * channels)
        var rows = 0
        for tensor in features {
            for (i, value) in tensor.columnMoments().values.enumerated() { moments[i] += value }
            rows += tensor.count / channels
        }
        let mean = (0..<channels).map { moments[$0] / Double(rows) }
        scale = (0..<channels).map { c in
            let variance = moments[channels + c] / Double(rows) - mean[c] * mean[c]
            // A channel that never changes says nothing; what is left of its variance is rounding.
            return variance > 1e-12 + 1e-6 * mean[c] * mean[c]
                ? Float(1 / (variance * Double(channels)).squareRoot()) : 0
        }
        shift = zip(mean, scale).map { Float(-$0 * Double($1)) }
    }

    /// The scaled features [..., C].
    func callAsFunction(_ features: Tensor) -> Tensor {
        let scaled = Tensor(features.shape)
        features.affineColumns(
            scale: Tensor([scale.count], scale), shift: Tensor([shift.count], shift), residual: nil, rectify: false,
            into: scaled)
        return scaled
    }

    /// Changes a classifier of scaled features into the same classifier of features as they are.
    func fold(into classifier: LinearClassifier) {
        classifier.addToBias(weighted: shift)
        let weight = classifier.weight.floats, channels = scale.count
        for i in weight.indices { weight[i] *= scale[i % channels] }
    }
}
