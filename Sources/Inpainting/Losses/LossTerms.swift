package import NeuralNetwork
import TensorCore

/// A loss of named parts, of one rank.
package struct LossTerms {
    /// Each part by its name, before its weight.
    package private(set) var values: [(name: String, value: Double)] = []
    /// Of all, weighted.
    package private(set) var loss = 0.0
    private var sum: Variable?
    private let pass: Pass

    package init(_ pass: Pass) { self.pass = pass }

    /// Counts a part.
    package mutating func add(_ name: String, _ value: Double, times weight: Double) {
        values.append((name, value))
        loss += weight * value
    }

    /// Adds what backward begins with, [1].
    package mutating func append(_ variable: Variable, times weight: Double = 1) {
        let zero = sum ?? Variable(Tensor([1], [0]))
        sum = NeuralNetwork.add(zero, variable, weight: Float(weight), pass)
    }

    /// The sum, [1].
    package var variable: Variable {
        guard let sum else { preconditionFailure("a loss without parts") }
        return sum
    }
}
