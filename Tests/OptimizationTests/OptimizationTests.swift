import NeuralNetwork
import Optimization
import TensorCore
import TestSupport
import Testing

@Suite struct LARSTests {
    private func parameter(_ shape: [Int], _ weight: [Float], _ gradient: [Float]) -> Parameter {
        let result = Parameter(name: "w", value: Tensor(shape, weight))
        result.bindGradient(to: Tensor(shape, gradient))
        return result
    }

    @Test func kernelsAreScaledByTheTrustRatio() {
        // |w| = 5; g + λw = (0.3, 0.4) + 0.1 · (3, 4) = (0.6, 0.8), norm 1: scale 0.001 · 5.
        let w = parameter([1, 2], [3, 4], [0.3, 0.4])
        let optimizer = LARS([w], momentum: 0.9, weightDecay: 0.1, trustCoefficient: 0.001)
        optimizer.update(learningRate: 2)
        #expect(relativeError(w.value.array, [3 - 2 * 0.003, 4 - 2 * 0.004]) < 1e-6)
        optimizer.update(learningRate: 0)
        // Now w = (2.994, 3.992), |w| = 4.99; g + λw = (0.5994, 0.7992) = 0.999 · (0.6, 0.8).
        #expect(relativeError(optimizer.velocities[0].array, [0.0027 + 0.002994, 0.0036 + 0.003992]) < 1e-6)
    }

    @Test func vectorsTakePlainMomentum() {
        let b = parameter([2], [1, 2], [0.5, -0.5])
        let optimizer = LARS([b], weightDecay: 0.1)
        optimizer.update(learningRate: 0.1)
        optimizer.update(learningRate: 0.1)
        #expect(relativeError(b.value.array, [1 - 0.05 - 0.095, 2 + 0.05 + 0.095]) < 1e-6)
    }

    @Test func zeroWeightsOrGradientsAreNotScaled() {
        let zero = parameter([1, 2], [0, 0], [1, 1])
        LARS([zero]).update(learningRate: 1)
        #expect(zero.value.array == [-1, -1])
    }

    @Test func withoutATrustCoefficientItIsMomentumSGD() {
        let w = parameter([1, 2], [1, 1], [1, 2])
        LARS([w], weightDecay: 0.5, trustCoefficient: nil).update(learningRate: 0.1)
        #expect(relativeError(w.value.array, [0.85, 0.75]) < 1e-6)
    }
}

@Suite struct ScheduleTests {
    @Test func warmsUpFromAHundredthAndEndsAtTheFloor() {
        let schedule = LearningRateSchedule(baseRate: 1, globalBatch: 1024, warmupSamples: 5000)
        func rate(_ samples: Int) -> Double { schedule.rate(at: ScheduleProgress(samples: samples, total: 100_000)) }
        #expect(rate(0) == 0.04)
        #expect(abs(rate(2500) - 0.04 * 50.5) < 1e-12)
        #expect(rate(5000) == 4)
        #expect(abs(rate(52_500) - 2) < 1e-5)
        #expect(abs(rate(100_000) - 1e-6) < 1e-12)
    }

    @Test func momentumRisesToOne() {
        let schedule = MomentumSchedule(base: 0.99)
        #expect(abs(schedule.momentum(at: ScheduleProgress(samples: 0, total: 100)) - 0.99) < 1e-12)
        #expect(abs(schedule.momentum(at: ScheduleProgress(samples: 50, total: 100)) - 0.995) < 1e-12)
        #expect(schedule.momentum(at: ScheduleProgress(samples: 100, total: 100)) == 1)
    }
}
