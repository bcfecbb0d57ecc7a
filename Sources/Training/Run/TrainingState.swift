import Checkpointing
import Learning
import NeuralNetwork
import Optimization
import TensorCore

/// Everything a run must restore to go on bit for bit: weights, averages, statistics, and what optimisers remember.
struct TrainingState {
    private let states: [ModelState]
    /// None where only the networks are wanted, for evaluation.
    private let optimizers: [any Optimizer]

    /// Of networks alone.
    init(_ states: [ModelState]) { (self.states, optimizers) = (states, []) }

    init(_ task: some TrainingTask, withOptimizers: Bool = true) {
        states = task.states
        optimizers = withOptimizers ? task.modules.map(\.optimizer) : []
    }

    /// Every tensor under its name in the checkpoint, in files' layout.
    var saved: [SavedTensor] {
        entries.map { entry in
            SavedTensor(name: entry.name, elementType: .float32, shape: entry.shape, isCopied: entry.copies) {
                NamedTensor(name: entry.name, tensor: entry.read())
            }
        }
            + counters.map { SavedTensor(NamedTensor(name: $0.name, scalar: Int64($0.value))) }
    }

    /// Fills networks and optimisers from an open checkpoint. Collective.
    func load(_ reader: CheckpointReader) throws {
        // Vectors are read into the model's memory, kernels beside it, because files hold OIHW.
        let tensors = entries.map { entry in
            var tensor: Tensor?
            return CheckpointReader.Place(name: entry.name, elementType: .float32, shape: entry.shape) {
                let room = entry.room()
                tensor = room
                return NamedTensor(name: entry.name, tensor: room)
            } take: { _ in
                entry.take(tensor!)
                tensor = nil
            }
        }
        let counts = counters.map { counter in
            CheckpointReader.Place(name: counter.name, elementType: .int64, shape: []) {
                NamedTensor(name: counter.name, scalar: Int64(counter.value))
            } take: {
                counter.write(Int($0.integers![0]))
            }
        }
        try reader.read(into: tensors + counts, partially: optimizers.isEmpty)
    }

    /// Fills networks to be used, not trained. Throws where their numbers are not finite. Collective.
    func loadToUse(_ reader: CheckpointReader) throws {
        try load(reader)
        guard let wrong = replicas.first(where: { !$0.tensor.isFinite }) else { return }
        throw TrainingError(notFinite: wrong.name, in: reader.directory)
    }

    /// All tensors with their names, for comparing replicas; in internal layout.
    var replicas: [(name: String, tensor: Tensor)] {
        states.flatMap(\.parameters).map { ($0.name, $0.value) }
            + states.flatMap(\.statistics).flatMap {
                [("\($0.name).running_mean", $0.mean), ("\($0.name).running_var", $0.variance)]
            } + optimizers.flatMap(\.state)
    }

    private var entries: [StateDictionary.Entry] {
        states.flatMap { StateDictionary($0).entries }
            + optimizers.flatMap(\.state).map { StateDictionary.entry($0.name, of: $0.tensor) }
    }

    /// A count under its name, and where it goes.
    private struct Counter {
        let name: String
        let value: Int
        let write: (Int) -> Void
    }

    private var counters: [Counter] {
        states.flatMap { StateDictionary($0).counters }.map { name, statistics in
            Counter(name: name, value: statistics.batchesTracked) { statistics.batchesTracked = $0 }
        }
            + optimizers.flatMap { optimizer in
                optimizer.counters.sorted { $0.key < $1.key }.map { name, value in
                    Counter(name: name, value: value) { optimizer.counters[name] = $0 }
                }
            }
    }
}
