package import TensorCore

/// The record of one forward pass, played backwards once.
///
/// Operations are coarse (a convolution, a normalisation with its rectifier): an operation writes its backward once, a
/// model only its forward. What an operation saved is freed as soon as its backward has run.
package final class Tape {
    private struct Entry {
        let output: Variable
        let inputs: [Variable]
        let parameters: [Parameter]
        let backward: (_ outputGradient: Tensor) throws -> Void
    }

    private var entries: [Entry] = []
    /// How many recorded operations still owe each parameter a contribution. Counted here, so that one parameter may be
    /// on two tapes.
    private var uses: [ObjectIdentifier: Int] = [:]

    package init() {}

    /// How many operations are recorded.
    package var count: Int { entries.count }

    /// Records an operation on `inputs` that, given the gradient of its output, gives each of `parameters` one contribution.
    func record(
        _ output: Variable, of inputs: [Variable], _ parameters: [Parameter],
        backward: @escaping (Tensor) throws -> Void
    ) {
        for input in inputs { input.readers += 1 }
        for parameter in parameters { uses[ObjectIdentifier(parameter), default: 0] += 1 }
        entries.append(Entry(output: output, inputs: inputs, parameters: parameters, backward: backward))
    }

    /// Runs all recorded operations backwards from `output`, whose gradient is `seed`, and leaves the tape empty.
    ///
    /// `onGradientReady` hears of each parameter as soon as its last use on this tape has contributed: pass it only for
    /// the last pass of a step. An operation whose output got no gradient contributes nothing.
    package func backward(
        from output: Variable, seed: Tensor, onGradientReady: ((Parameter) throws -> Void)? = nil
    ) throws {
        defer {
            entries.removeAll(keepingCapacity: true)
            uses.removeAll(keepingCapacity: true)
        }
        output.receive(seed)
        while let entry = entries.popLast() {
            if let gradient = entry.output.takeGradient() { try entry.backward(gradient) }
            for input in entry.inputs { input.readers -= 1 }
            for parameter in entry.parameters {
                let left = uses[ObjectIdentifier(parameter)]! - 1
                uses[ObjectIdentifier(parameter)] = left
                if left == 0 { try onGradientReady?(parameter) }
            }
        }
    }
}
