package import TensorCore

/// Running mean and variance of one normalisation layer (buffers, not parameters: they have no gradient).
package final class RunningStatistics {
    package let name: String
    package let mean: Tensor
    package let variance: Tensor
    package var batchesTracked = 0

    init(name: String, channels: Int) {
        self.name = name
        mean = .zeros([channels])
        variance = Tensor([channels])
        variance.fill(1)
    }
}

/// Everything a model remembers, in the order in which its layers were built.
///
/// Layers register here as they are made; optimizers, buckets, checkpoints and exports read the two lists.
package final class ModelState {
    package private(set) var parameters: [Parameter] = []
    package private(set) var statistics: [RunningStatistics] = []
    /// Keys every initial value, together with the parameter's name; nil for a model that is filled by its maker.
    let seed: UInt64?

    package init(seed: UInt64?) { self.seed = seed }

    func add(_ parameter: Parameter) -> Parameter {
        parameters.append(parameter)
        return parameter
    }

    func add(_ running: RunningStatistics) -> RunningStatistics {
        statistics.append(running)
        return running
    }

    /// Gives every parameter a gradient of its own, for programs without buckets.
    package func allocateGradients() {
        for parameter in parameters { parameter.bindGradient(to: Tensor(parameter.value.shape)) }
    }

    package func clearGradients() {
        for parameter in parameters { parameter.clearGradient() }
    }
}

/// A place in a model's tree of names, through which layers create their parameters.
package struct Scope {
    package let state: ModelState
    package let path: String

    package init(_ state: ModelState, path: String = "") {
        self.state = state
        self.path = path
    }

    package func child(_ name: String) -> Scope { Scope(state, path: qualified(name)) }

    func qualified(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    func parameter(_ name: String, _ shape: [Int], _ initialization: Initialization) -> Parameter {
        let full = qualified(name)
        let value = state.seed.map { initialization.tensor(shape, seed: $0, name: full) } ?? Tensor(shape)
        return state.add(Parameter(name: full, value: value))
    }

    func runningStatistics(channels: Int) -> RunningStatistics {
        state.add(RunningStatistics(name: path, channels: channels))
    }
}
