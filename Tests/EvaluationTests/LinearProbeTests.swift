import Evaluation
import Glibc
import TensorCore
import TestSupport
import Testing

@Suite struct LinearProbeTests {
    private static let count = 200, channels = 6, classes = 3

    /// Three clouds that overlap, in channels of different size and offset; the last channel never changes.
    private func cloud(_ key: UInt64) -> (features: Tensor, labels: [Int]) {
        let features = randomTensor([Self.count, Self.channels], key: key), labels = (0..<Self.count).map { $0 % 3 }
        for row in 0..<Self.count {
            for c in 0..<Self.channels {
                let index = row * Self.channels + c
                let value = features.floats[index] + (c == labels[row] ? 1.5 : 0)
                features.floats[index] = c == Self.channels - 1 ? 7 : value * Float(1 << c) + Float(10 * c)
            }
        }
        return (features, labels)
    }

    /// Gradient descent over all features at once in double precision: weights [class][channel] and biases of features
    /// that are scaled to mean 0 and variance 1 / channels, and the logits of `queries`.
    private func plainLogits(_ features: Tensor, _ labels: [Int], rate: Double, queries: Tensor) -> [Double] {
        let (n, channels) = (features.shape[0], features.shape[1]), classes = Self.classes
        var mean = [Double](repeating: 0, count: channels), scale = mean
        for c in 0..<channels {
            let column = (0..<n).map { Double(features.floats[$0 * channels + c]) }
            mean[c] = column.reduce(0, +) / Double(n)
            let variance = column.reduce(0) { $0 + ($1 - mean[c]) * ($1 - mean[c]) } / Double(n)
            scale[c] = variance > 1e-9 ? 1 / (variance * Double(channels)).squareRoot() : 0
        }
        func scaled(_ tensor: Tensor, _ row: Int) -> [Double] {
            (0..<channels).map { (Double(tensor.floats[row * channels + $0]) - mean[$0]) * scale[$0] } + [1]
        }
        let width = channels + 1
        var weights = [Double](repeating: 0, count: classes * width), velocity = weights
        func logits(_ x: [Double]) -> [Double] {
            (0..<classes).map { k in (0..<width).reduce(0) { $0 + weights[k * width + $1] * x[$1] } }
        }
        // All at once are an epoch.
        let steps = 50
        for step in 0..<steps {
            var gradient = [Double](repeating: 0, count: weights.count)
            for row in 0..<n {
                let x = scaled(features, row), exponentials = logits(x).map { exp($0) }
                let total = exponentials.reduce(0, +)
                for k in 0..<classes {
                    let slope = exponentials[k] / total - (labels[row] == k ? 1 : 0)
                    for c in 0..<width { gradient[k * width + c] += slope * x[c] / Double(n) }
                }
            }
            let now = rate * (1 + cos(.pi * Double(step) / Double(steps))) / 2
            for i in weights.indices {
                velocity[i] = 0.9 * velocity[i] + gradient[i]
                weights[i] -= now * velocity[i]
            }
        }
        return (0..<queries.shape[0]).flatMap { logits(scaled(queries, $0)) }
    }

    @Test func aProbeOfOneBatchIsItsPlainTwin() throws {
        let (features, labels) = cloud(1), (queries, wanted) = cloud(2)
        var progress: [Int] = []
        let probe = LinearProbe(features: features, labels: labels, classes: Self.classes, seed: 5) { done, total in
            progress.append(done)
            #expect(total == 5 * 50)
        }
        #expect([0.3, 1, 3, 10].contains(probe.learningRate) && progress.last == 5 * 50)
        let expected = plainLogits(features, labels, rate: probe.learningRate, queries: queries)
        #expect(relativeError(probe.classifier.logits(queries).array, expected.map(Float.init)) < 1e-4)

        let hits = (0..<Self.count).count { row in
            let own = expected[row * Self.classes..<(row + 1) * Self.classes]
            return own.firstIndex(of: own.max()!)! - own.startIndex == wanted[row]
        }
        #expect(abs(probe.accuracy(of: queries, labels: wanted) - Double(hits) / Double(Self.count)) < 1e-9)
        #expect(Double(hits) / Double(Self.count) > 0.5)
    }

    /// Many batches an epoch, and classes that a plane separates.
    @Test func separateClassesAreReadWithoutError() throws {
        let count = 900, channels = 5
        let features = randomTensor([count, channels], key: 3)
        let labels = (0..<count).map { row in
            let x = features.floats[row * channels..<(row + 1) * channels]
            return x[x.startIndex] > 0 ? 1 : 0
        }
        for (row, label) in labels.enumerated() { features.floats[row * channels] += label == 1 ? 0.5 : -0.5 }
        let probe = try LinearProbe(features: features, labels: labels, classes: 2, seed: 5)
        #expect(probe.accuracy(of: features, labels: labels) > 0.995)
    }
}
