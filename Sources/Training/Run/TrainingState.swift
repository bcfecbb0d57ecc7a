import Checkpointing
import NeuralNetwork
import Optimization
import PixelLearning
import TensorCore

/// Everything a run must restore to go on bit for bit: weights, momentum weights, statistics, velocities, position.
struct TrainingState {
    let model: PixPro
    /// Nil where only the model is wanted, for evaluation.
    let optimizer: LARS?

    /// Every tensor under its name in the checkpoint, in files' layout.
    ///
    /// Vectors share the model's memory; kernels are copies, because files hold OIHW.
    func tensors() -> [NamedTensor] {
        entries.map { NamedTensor(name: $0.name, tensor: $0.read()) }
            + counters.map {
                NamedTensor(name: $0.name, scalar: Int64($0.statistics.batchesTracked))
            }
    }

    /// Fills model and optimizer from an open checkpoint. Collective.
    func load(_ reader: CheckpointReader) throws {
        let tensors = tensors()
        try reader.read(into: tensors, partially: optimizer == nil)
        for (entry, tensor) in zip(entries, tensors) { entry.write(tensor.tensor!) }
        for (counter, tensor) in zip(counters, tensors.dropFirst(entries.count)) {
            counter.statistics.batchesTracked = Int(tensor.integers![0])
        }
    }

    /// All tensors with their names, for comparing replicas; in internal layout.
    var replicas: [(name: String, tensor: Tensor)] {
        (model.online.parameters + model.momentum.parameters).map { ($0.name, $0.value) }
            + (model.online.statistics + model.momentum.statistics).flatMap {
                [("\($0.name).running_mean", $0.mean), ("\($0.name).running_var", $0.variance)]
            } + velocities.map { (Self.velocityName($0), $1) }
    }

    private var entries: [StateDictionary.Entry] {
        StateDictionary(model.online).entries + StateDictionary(model.momentum).entries
            + velocities.map {
                StateDictionary.entry(Self.velocityName($0), of: $1)
            }
    }

    private var counters: [(name: String, statistics: RunningStatistics)] {
        StateDictionary(model.online).counters + StateDictionary(model.momentum).counters
    }

    private var velocities: [(Parameter, Tensor)] {
        optimizer.map { Array(zip($0.parameters, $0.velocities)) } ?? []
    }

    private static func velocityName(_ parameter: Parameter) -> String { "optimizer.velocity.\(parameter.name)" }
}

/// Where a run is, in numbers that mean the same at any number of ranks.
public struct RunPosition: Sendable, Equatable {
    /// Updates done.
    public var step = 0
    /// Images seen by all ranks together.
    public var samples = 0
    /// The epoch that the next batch belongs to, from 0.
    public var epoch = 0
    /// Images of that epoch seen so far.
    public var samplesInEpoch = 0

    public init() {}

    init(_ facts: CheckpointFacts) {
        step = facts.step
        samples = facts.samplesSeen
        epoch = facts.counters["epoch"] ?? 0
        samplesInEpoch = facts.counters["samplesInEpoch"] ?? 0
    }

    var counters: [String: Int] { ["epoch": epoch, "samplesInEpoch": samplesInEpoch] }

    /// The position after a batch of `globalBatch` of an epoch of `count` images; an incomplete last batch is dropped.
    func advanced(by globalBatch: Int, epochOf count: Int) -> RunPosition {
        var next = self
        next.step += 1
        next.samples += globalBatch
        next.samplesInEpoch += globalBatch
        return next.settled(globalBatch, epochOf: count)
    }

    /// The same place, in the next epoch if this one cannot fill another batch.
    func settled(_ globalBatch: Int, epochOf count: Int) -> RunPosition {
        guard samplesInEpoch + globalBatch > count else { return self }
        var next = self
        next.epoch += 1
        next.samplesInEpoch = 0
        return next
    }
}
