import NeuralNetwork
import TensorCore
import TestSupport
import Testing

/// Pretends that a second worker holds the same batch.
private final class Doubled: StatisticsReducing {
    var calls = 0
    func sum(_ values: UnsafeMutableBufferPointer<Double>) {
        calls += 1
        for i in values.indices { values[i] *= 2 }
    }
}

@Suite struct BatchNormalizationTests {
    @Test func normalisesToZeroMeanAndUnitVariance() throws {
        let layer = BatchNormalization(Scope(ModelState(seed: 1), path: "bn"), channels: 3)
        let x = randomTensor([4, 5, 5, 3], key: 1, scale: 3)
        for i in stride(from: 0, to: x.count, by: 3) { x.floats[i] += 100 }
        let y = try layer(Variable(x), Pass(mode: .training)).value
        let moments = y.columnMoments(), rows = Double(y.count / 3)
        for c in 0..<3 {
            #expect(abs(moments[c] / rows) < 1e-4)
            #expect(abs(moments[3 + c] / rows - 1) < 1e-3)
        }
    }

    @Test func runningStatisticsAreUnbiasedOverTheGlobalCount() throws {
        // Two equal halves: the variance of the doubled batch is unbiased by 2n/(2n − 1).
        let state = ModelState(seed: 1)
        let layer = BatchNormalization(Scope(state, path: "bn"), channels: 1)
        let x = Tensor([4, 1], [1, 2, 3, 6])
        let reducer = Doubled()
        _ = try layer(Variable(x), Pass(mode: .training, statistics: reducer))
        #expect(reducer.calls == 1)
        #expect(abs(layer.running.mean.array[0] - 0.3) < 1e-6)
        #expect(abs(layer.running.variance.array[0] - Float(0.9 + 0.1 * 3.5 * 8 / 7)) < 1e-6)
        #expect(layer.running.batchesTracked == 1)
    }

    @Test func equalHalvesGiveTheGradientOfTheWhole() throws {
        let x = randomTensor([6, 4], key: 1), seed = randomTensor([6, 4], key: 2)
        func gradient(_ rows: [Tensor], _ seeds: [Tensor], _ reducer: any StatisticsReducing) throws -> [Float] {
            let state = ModelState(seed: 1)
            let layer = BatchNormalization(Scope(state), channels: 4)
            state.allocateGradients()
            let joined = Tensor([rows.count * 6, 4], rows.flatMap(\.array))
            let input = Variable(joined, needsGradient: true)
            let tape = Tape()
            let y = try layer(input, Pass(mode: .training, tape: tape, statistics: reducer))
            try tape.backward(from: y, seed: Tensor(y.value.shape, seeds.flatMap(\.array)))
            return Array(input.takeGradient()!.array.prefix(24))
        }
        let half = try gradient([x], [seed], Doubled())
        let whole = try gradient([x, x], [seed, seed], LocalStatistics())
        #expect(relativeError(half, whole) < 1e-6)
    }

    @Test func evaluationUsesRunningStatistics() throws {
        let layer = BatchNormalization(Scope(ModelState(seed: 1)), channels: 2)
        layer.running.mean.copy(from: Tensor([2], [1, -1]))
        layer.running.variance.copy(from: Tensor([2], [4, 0.25]))
        let y = try layer(Variable(Tensor([1, 2], [3, 0])), Pass(mode: .evaluation)).value.array
        #expect(abs(y[0] - 1) < 1e-4 && abs(y[1] - 2) < 1e-4)
    }
}
