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

    /// Every tensor under its name in the checkpoint, in files' layout: copied for whom saves it.
    var saved: [SavedTensor] {
        entries.map { entry in
            SavedTensor(name: entry.name, elementType: .float32, shape: entry.shape) {
                NamedTensor(name: entry.name, tensor: entry.copy())
            }
        }
            + counters.map { counter in
                SavedTensor(NamedTensor(name: counter.name, scalar: Int64(counter.statistics.batchesTracked)))
            }
    }

    /// The same, with memory that a checkpoint is read into: vectors share the model's, kernels have their own, because
    /// files hold OIHW.
    private func tensors() -> [NamedTensor] {
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
