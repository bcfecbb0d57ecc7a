package import Learning
package import NeuralNetwork
package import Optimization
package import Settings

/// Momentum SGD as dense tasks are fine-tuned by it, and how its rate falls.
package struct FineTuningOptimizer: Sendable, Equatable {
    /// At a global batch of 16 images; the rate used grows with the batch.
    package var baseLearningRate = 0.01
    package var momentum = 0.9
    package var weightDecay = 1e-4
    /// Of biases and normalisation.
    package var vectorDecay = 0.0
    /// Multiplies the rate of biases, shifts of normalisation among them.
    package var biasRateFactor = 1.0
    package var course = Course.steps

    package init() {}

    /// How the learning rate falls.
    package enum Course: String, Sendable, CaseIterable {
        /// To a tenth at 70 % of the run, and again at 90 %.
        case steps
        /// To nothing, as (1 − share done)^0.9.
        case polynomial
        /// To nothing along half a cosine.
        case cosine
    }

    package func makeOptimizer(_ parameters: [Parameter]) -> any Optimizer {
        LARS(parameters, momentum: momentum, trustCoefficient: nil) { parameter in
            ParameterRule(
                weightDecay: parameter.isVector ? vectorDecay : weightDecay,
                rateFactor: parameter.name.hasSuffix(".bias") ? biasRateFactor : 1, isAdapted: false)
        }
    }

    /// From a third of the rate while warming up, as in the published programs.
    package func schedule(_ length: RunLength) -> LearningRateSchedule {
        let course: LearningRateSchedule.Course =
            switch self.course {
            case .steps: .steps(at: [0.7, 0.9], factor: 0.1)
            case .polynomial: .polynomial(power: 0.9)
            case .cosine: .cosine(floor: 0)
            }
        return LearningRateSchedule(
            rate: baseLearningRate * Double(length.globalBatch) / 16,
            warmup: Double(length.warmupEpochs * length.epochImages), warmupDivisor: 3, course: course)
    }
}

extension FineTuningOptimizer.Course: ChoiceValue {}

extension FineTuningOptimizer {
    package static let schema = Schema<FineTuningOptimizer>(
        sections: [Section("optimizer", "How gradients become updates.")],
        settings: [
            Setting(
                "optimizer.baseLearningRate", \.baseLearningRate, in: .above(0, upTo: 1000), onResume: .changesTraining,
                synonyms: ["lr", "baseLr", "learningRate"],
                "Learning rate at a global batch of 16; the rate used is this times global batch / 16."),
            Setting(
                "optimizer.course", \.course, onResume: .changesTraining, synonyms: ["lrSchedule", "scheduler"],
                "How the rate falls: to a tenth at 70 % and again at 90 % of the run, as (1 - share)^0.9, or along a cosine."
            ),
            Setting(
                "optimizer.momentum", \.momentum, in: .from(0, below: 1), onResume: .changesTraining,
                "Momentum of the updates."),
            Setting(
                "optimizer.weightDecay", \.weightDecay, in: .within(0...10), onResume: .changesTraining,
                synonyms: ["wd"], "Weight decay of kernels."),
            Setting(
                "optimizer.vectorDecay", \.vectorDecay, in: .within(0...10), onResume: .changesTraining,
                synonyms: ["weightDecayBias", "weightDecayNorm"], "Weight decay of biases and normalisation."),
            Setting(
                "optimizer.biasRateFactor", \.biasRateFactor, in: .within(0...100), onResume: .changesTraining,
                synonyms: ["biasLrFactor"], "Multiplies the learning rate of biases."),
        ])
}
