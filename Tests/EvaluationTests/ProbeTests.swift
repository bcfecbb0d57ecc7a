import Evaluation
import Glibc
import TensorCore
import TestSupport
import Testing

@Suite struct ProbeTests {
    /// Σ log cosh(sᵢ (xᵢ − bᵢ)), as curved as s² at its minimum b and straight far from it; curvatures differ by 100.
    @Test func quasiNewtonFindsAMinimum() {
        let scales = (0..<30).map { pow(10, Double($0 % 5) / 4) }
        let minimum = (0..<30).map { Double($0 % 7) - 3 }
        var evaluations = 0, search = QuasiNewton(from: [Double](repeating: 0, count: 30))
        func function(_ point: [Double]) -> (value: Double, gradient: [Double]) {
            evaluations += 1
            var value = 0.0, gradient = point
            for i in point.indices {
                let place = scales[i] * (point[i] - minimum[i])
                value += abs(place) + log1p(exp(-2 * abs(place)))
                gradient[i] = scales[i] * tanh(place)
            }
            return (value, gradient)
        }
        var last = function(search.point).value
        for _ in 0..<200 {
            guard search.step(function) else { break }
            let value = function(search.point).value
            #expect(value <= last)
            last = value
        }
        #expect(zip(search.point, minimum).allSatisfy { abs($0 - $1) < 1e-4 })
    }

    /// The kernel's loss and gradient against plain sums in double precision.
    @Test func crossEntropyAgreesWithItsPlainTwin() {
        let (rows, classes, width) = (3, 5, 7)
        let logits = randomTensor([rows, classes, width], key: 3, scale: 4)
        let counts = (0..<rows * classes * width).map { UInt8($0 * 7 % 5 % 4) }
        var loss = 0.0, gradient = [Float](repeating: 0, count: counts.count)
        for row in 0..<rows {
            for x in 0..<width {
                let places = (0..<classes).map { (row * classes + $0) * width + x }
                let exponentials = places.map { exp(Double(logits.floats[$0])) }
                let total = exponentials.reduce(0, +), labels = places.reduce(0) { $0 + Int(counts[$1]) }
                for (place, value) in zip(places, exponentials) {
                    loss -= Double(counts[place]) * log(value / total)
                    gradient[place] = Float(value / total * Double(labels) - Double(counts[place]))
                }
            }
        }
        let found = logits.turnIntoCrossEntropyGradient(counts: counts)
        #expect(abs(found - loss) < 1e-5 * loss)
        #expect(relativeError(logits.array, gradient) < 1e-6)
    }

    @Test func ranksTrainOneSegmentationProbe() throws {
        let result = try MPILauncher.run("rank-checks", ranks: 2, ["segmentation-probe"])
        #expect(result.status == 0 && result.output.contains("ok segmentation-probe"), "\(result)")
    }
}
