import Foundation
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
        let schedule = LearningRateSchedule.pretraining(baseRate: 1, globalBatch: 1024, warmupSamples: 5000)
        func rate(_ samples: Int) -> Double { schedule.rate(at: ScheduleProgress(done: samples, of: 100_000)) }
        #expect(rate(0) == 0.04)
        #expect(abs(rate(2500) - 0.04 * 50.5) < 1e-12)
        #expect(rate(5000) == 4)
        #expect(abs(rate(52_500) - 2) < 1e-5)
        #expect(abs(rate(100_000) - 1e-6) < 1e-12)
    }

    @Test func otherCourses() {
        func rates(_ course: LearningRateSchedule.Course, warmup: Double = 0) -> [Double] {
            let schedule = LearningRateSchedule(rate: 2, warmup: warmup, warmupDivisor: 4, course: course)
            return [0, 50, 100].map { schedule.rate(at: ScheduleProgress(done: $0, of: 100)) }
        }
        #expect(rates(.constant) == [2, 2, 2])
        #expect(rates(.constant, warmup: 100) == [0.5, 1.25, 2])
        #expect(rates(.polynomial(power: 2)) == [2, 0.5, 0])
        #expect(rates(.steps(at: [0.5, 0.75], factor: 0.5)) == [2, 1, 0.5])
        #expect(rates(.cosine(floor: 1)) == [2, 1.5, 1])
    }

    @Test func momentumRisesToOne() {
        let schedule = MomentumSchedule(base: 0.99)
        #expect(abs(schedule.momentum(at: ScheduleProgress(done: 0, of: 100)) - 0.99) < 1e-12)
        #expect(abs(schedule.momentum(at: ScheduleProgress(done: 50, of: 100)) - 0.995) < 1e-12)
        #expect(schedule.momentum(at: ScheduleProgress(done: 100, of: 100)) == 1)
    }
}

@Suite struct AdamTests {
    /// Against the rule written out in double precision, over some updates.
    @Test(arguments: [(0.0, 1.0), (0.1, 0.5)]) func followsTheRule(_ decay: Double, _ factor: Double) {
        let gradients: [[Double]] = [[0.5, -1, 0], [0.1, 1, 1e-9], [-2, 0.25, 0]]
        let w = Parameter(name: "w", value: Tensor([3], [1, -2, 0.5]))
        let optimizer = Adam([w], beta1: 0.5, beta2: 0.9) { _ in ParameterRule(weightDecay: decay, rateFactor: factor) }
        var expected = [1, -2, 0.5], m = [0.0, 0, 0], v = [0.0, 0, 0]
        for (step, gradient) in gradients.enumerated() {
            w.bindGradient(to: Tensor([3], gradient.map { Float($0) }))
            optimizer.update(learningRate: 0.01)
            let t = Double(step + 1)
            for i in 0..<3 {
                let g = gradient[i] + decay * expected[i]
                m[i] = 0.5 * m[i] + 0.5 * g
                v[i] = 0.9 * v[i] + 0.1 * g * g
                let scale = (v[i] / (1 - pow(0.9, t))).squareRoot() + 1e-8
                expected[i] -= 0.01 * factor * m[i] / (1 - pow(0.5, t)) / scale
            }
        }
        #expect(relativeError(w.value.array, expected.map { Float($0) }) < 1e-6)
        #expect(optimizer.updates == 3)
    }

    /// The moments and the count are all that it remembers.
    @Test func goesOnFromItsState() {
        func parameter() -> Parameter {
            let w = Parameter(name: "w", value: Tensor([2], [1, -2]))
            w.bindGradient(to: Tensor([2], [0.5, 3]))
            return w
        }
        let whole = parameter(), first = parameter(), second = parameter()
        let reference = Adam([whole]), before = Adam([first]), after = Adam([second])
        for _ in 0..<4 { reference.update(learningRate: 0.1) }
        for _ in 0..<2 { before.update(learningRate: 0.1) }
        second.value.copy(from: first.value)
        for (target, source) in zip(after.state, before.state) {
            #expect(target.name == source.name)
            target.tensor.copy(from: source.tensor)
        }
        for (name, count) in before.counters { after.counters[name] = count }
        for _ in 0..<2 { after.update(learningRate: 0.1) }
        #expect(second.value.array == whole.value.array)
    }
}
