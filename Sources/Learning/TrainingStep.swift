package import DataParallel
package import ImagePipeline
package import MessagePassing
import NeuralNetwork
package import Optimization
import TensorCore

/// The updates of a task on all ranks: from batches to new weights.
package final class TrainingStep<Task: TrainingTask> {
    package let task: Task
    /// One for each module.
    package let reducers: [GradientReducer]
    package let statistics: SynchronizedStatistics
    private let communicator: any Collective
    private let buckets: BucketOrder

    /// Collective.
    ///
    /// - Parameter interleavesPasses: whether passes compute while others wait for sums over ranks, which takes the memory
    ///   of all.
    package init(
        _ task: Task, communicator: any Collective, mode: GradientReducer.Mode, wire: GradientReducer.Wire = .float32,
        interleavesPasses: Bool = false
    ) throws {
        self.task = task
        self.communicator = communicator
        let order = try BucketOrder(mode: mode, ranks: communicator.size)
        buckets = order
        reducers = try task.modules.map {
            try GradientReducer(
                parameters: $0.parameters, communicator: communicator, mode: mode, wire: wire, order: order)
        }
        statistics = try SynchronizedStatistics(communicator: communicator, interleavesPasses: interleavesPasses)
    }

    /// Whether passes compute while others wait for their sums.
    package var interleavesPasses: Bool { statistics.passes.isInterleaving }

    /// What one rank knows of a phase.
    package struct Outcome: Sendable {
        /// This rank's part of the loss, by micro-batch.
        package var losses: [Double] = []
        package var figures = Figures()
        package var loss: Double { losses.reduce(0, +) }
    }

    /// Moves what follows by averaging: the beginning of a step.
    package func moveAverages(_ progress: ScheduleProgress) {
        for average in task.averages {
            Trace.span("momentum update", counts: .averaging) {
                average.move(by: average.coefficient.momentum(at: progress))
            }
            MemoryTraffic.current?.end("MovingAverage", .averaging)
        }
    }

    /// Leaves in every parameter of a phase's module its gradient, summed over all ranks and micro-batches.
    ///
    /// `next` gives this rank's part of each micro-batch of `plan`. Collective.
    package func computeGradients(
        _ phase: TrainingPhase, _ plan: BatchPlan, next: () throws -> Task.Samples.Batch
    ) throws -> Outcome {
        for (index, module) in task.modules.enumerated() where task.modules.count > 1 {
            module.isLearning = index == phase.module
        }
        let reducer = reducers[phase.module]
        reducer.begin()
        var outcome = Outcome()
        for index in 0..<plan.microBatches {
            let batch = try Trace.span("data", counts: .data) { try next() }
            let part = BatchPart(
                phase: phase, places: plan.images(ofMicroBatch: index, rank: communicator.rank),
                microBatchImages: plan.images(ofMicroBatch: index).count, globalImages: plan.global,
                isFirst: index == 0, communicator: communicator, statistics: statistics, passes: statistics.passes,
                onGradientReady: index == plan.microBatches - 1 ? reducer.markReady : nil)
            try Meanwhile.lookingAfter(buckets.advance) {
                outcome.losses.append(try task.learn(batch, part, &outcome.figures))
            }
        }
        try reducer.finish()
        outcome.figures.add(phase.lossName, sum: outcome.loss)
        return outcome
    }

    /// One phase with its update, which is left out where `accept` refuses its gradients. Collective.
    package func run(
        _ phase: TrainingPhase, _ plan: BatchPlan, learningRate: Double,
        accept: (Outcome) throws -> Bool = { _ in true }, next: () throws -> Task.Samples.Batch
    ) throws -> Outcome {
        let outcome = try computeGradients(phase, plan, next: next)
        if try accept(outcome) {
            Trace.span("optimizer", counts: .optimizer) {
                task.modules[phase.module].optimizer.update(learningRate: learningRate)
            }
            MemoryTraffic.current?.end("\(type(of: task.modules[phase.module].optimizer))", .update)
        }
        return outcome
    }
}
