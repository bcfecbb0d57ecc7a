import Synchronization
package import TensorCore

/// Looks at what operations give, forward and backward, for the first that is not finite.
///
/// Passes that are made while it watches are looked at. Others cost nothing.
package final class OperationWatch: Sendable {
    @TaskLocal static var current: OperationWatch?

    /// What an operation gave that is not finite.
    package struct Finding: Sendable, Equatable {
        /// Among all that were looked at, from 1.
        package let number: Int
        /// A sentence without its end: which operation, what it gave, and what it was given.
        package let text: String

        package init(number: Int, text: String) { (self.number, self.text) = (number, text) }
    }

    private struct State {
        var count = 0
        var first: Finding?
    }

    private let state = Mutex(State())

    package init() {}

    package var first: Finding? { state.withLock { $0.first } }
    /// Operations that were looked at.
    package var count: Int { state.withLock { $0.count } }

    package func watch<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Self.$current.withValue(self, operation: body)
    }

    /// Counts an operation; the first that gave what is not finite stays.
    private func look(at results: [(name: String, tensor: Tensor)], _ text: (_ wrong: String) -> String) {
        let number = state.withLock { state in
            state.count += 1
            return state.first == nil ? state.count : nil
        }
        guard let number, let wrong = results.lazy.compactMap({ $1.faults(called: $0) }).first else { return }
        state.withLock { $0.first = Finding(number: number, text: text(wrong)) }
    }

    func lookAtOutput(_ output: Tensor, of operation: Operation) {
        look(at: [("its output", output)]) { "forward, \(operation.name): \($0); given \(operation.given)" }
    }

    /// - Parameter outputGradient: how large what it was given was.
    func lookAtGradients(of operation: Operation, outputGradient: String) {
        let inputs = operation.inputs.enumerated().compactMap { place, input in
            input.gradient.map { ("the gradient of its input \(place + 1)", $0) }
        }
        let parameters = operation.parameters.filter { !$0.gradientIsEmpty }.compactMap { parameter in
            parameter.gradient.map { ("the gradient of \(parameter.name)", $0) }
        }
        look(at: inputs + parameters) {
            "backward, \(operation.name): \($0); given a gradient of its output \(outputGradient), \(operation.given)"
        }
    }

    /// An operation as it is called.
    struct Operation {
        let file: StaticString
        let function: StaticString
        let inputs: [Variable]
        let parameters: [Parameter]

        /// "Convolution2D of encoder.conv1.weight", or "add" of what has no parameters.
        var name: String {
            let name = Self.name(file, function)
            return parameters.isEmpty ? name : "\(name) of " + parameters.map(\.name).joined(separator: ", ")
        }

        /// The file's of a call, else the function's.
        static func name(_ file: StaticString, _ function: StaticString) -> String {
            let stem = "\(file)".split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? "\(file)"
            let function = String("\(function)".prefix { $0 != "(" })
            return function == "callAsFunction" || function == "init" ? stem : function
        }

        /// How large what it is given is.
        var given: String {
            let texts =
                inputs.enumerated().map { "input \($0 + 1) \($1.value.shape) \($1.value.extent)" }
                + parameters.map { "\($0.name) \($0.value.shape) \($0.value.extent)" }
            return texts.joined(separator: ", ")
        }
    }
}

extension Tensor {
    private var numbers: Tensor { elementType == .float32 ? self : cast(to: .float32) }

    /// "up to 3.5", or "with inf" where not all of it is finite.
    var extent: String {
        let values = numbers.floats
        if let wrong = values.first(where: { !$0.isFinite }) { return "with \(wrong)" }
        return "up to \(values.reduce(0) { max($0, abs($1)) })"
    }

    /// "its output [2, 3] float32 has 1 of 6 numbers that is not finite, the first inf at [0, 2]"; nil where all are finite.
    package func faults(called name: String) -> String? {
        let values = numbers.floats
        guard let first = values.firstIndex(where: { !$0.isFinite }) else { return nil }
        let wrong = values.count { !$0.isFinite }
        var place: [Int] = [], rest = first
        for side in shape.reversed() {
            place.insert(rest % side, at: 0)
            rest /= side
        }
        return "\(name) \(shape) \(elementType.rawValue) has \(wrong) of \(count) numbers that "
            + "\(wrong == 1 ? "is" : "are") not finite, the first \(values[first]) at \(place)"
    }
}
