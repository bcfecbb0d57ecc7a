import MessagePassing
import TensorCore

/// Brings the features of all ranks to mean 0 and the identity as their covariance, nearly: a linear probe can express
/// no more, but learns in a tenth of the steps.
struct FeatureWhitening {
    private let mean: Tensor
    private let factor: CholeskyFactor

    /// A share of each variance is added to it: what is left of features that depend on each other is rounding.
    private static let ridge = 1e-4

    /// Measured on the rows of all ranks' `features` [n, C]. Collective.
    init(_ features: [Tensor], channels: Int, communicator: any Collective) throws {
        var sums = [Double](repeating: 0, count: channels + 1)
        for tensor in features {
            let moments = tensor.columnMoments()
            for c in 0..<channels { sums[c] += moments[c] }
            sums[channels] += Double(tensor.count / channels)
        }
        sums = try communicator.sum(sums)
        let rows = sums[channels]
        mean = Tensor([channels], sums[..<channels].map { Float($0 / rows) })
        var covariance = [Double](repeating: 0, count: channels * channels)
        let product = Tensor([channels, channels])
        for tensor in features {
            let centred = Self.centred(tensor, mean)
            product.product(centred, centred, transposeA: true)
            for (i, value) in product.floats.enumerated() { covariance[i] += Double(value) }
        }
        covariance = try communicator.sum(covariance)
        for i in covariance.indices { covariance[i] /= rows }
        for c in 0..<channels {
            let variance = covariance[c * channels + c]
            // A channel that never changes says nothing and stays 0.
            covariance[c * channels + c] = variance > 0 ? variance * (1 + Self.ridge) : 1
        }
        guard let factor = CholeskyFactor(covariance) else {
            throw EvaluationError(
                "the features of the segmentation pictures are not finite: the encoder has diverged; score an earlier "
                    + "checkpoint")
        }
        self.factor = factor
    }

    private static func centred(_ features: Tensor, _ mean: Tensor) -> Tensor {
        let result = Tensor(features.shape)
        features.affineColumns(
            scale: Tensor(mean.shape, mean.array.map { _ in 1 }), shift: Tensor(mean.shape, mean.array.map { -$0 }),
            residual: nil, rectify: false, into: result)
        return result
    }

    /// The whitened features [n, C].
    func callAsFunction(_ features: Tensor) -> Tensor {
        let result = Self.centred(features, mean)
        factor.whiten(result)
        return result
    }

    /// Changes a classifier of whitened features into the same classifier of features as they are.
    func fold(into classifier: LinearClassifier) {
        factor.unwhiten(classifier.weight)
        classifier.addToBias(weighted: mean.floats.map { -$0 })
    }
}
