package import NeuralNetwork
package import TensorCore

/// A rule that turns the gradients of some parameters into updates.
package protocol Optimizer: AnyObject {
    var parameters: [Parameter] { get }
    /// What it remembers beside the parameters, each tensor in a parameter's layout, by the names that checkpoints use.
    var state: [(name: String, tensor: Tensor)] { get }
    /// Counts that it remembers, by the names that checkpoints use.
    var counters: [String: Int] { get set }
    /// One update from the parameters' gradients, which are left as they are.
    func update(learningRate: Double)
}

extension Optimizer {
    package var counters: [String: Int] {
        get { [:] }
        set { precondition(newValue.isEmpty, "this optimiser counts nothing, but was given \(newValue.keys)") }
    }
}

/// How one parameter is updated; those that share a rule are a group.
package struct ParameterRule: Sendable, Equatable {
    package var weightDecay: Double
    /// Multiplies the learning rate.
    package var rateFactor: Double
    /// Whether LARS scales the update by the tensor's norms.
    package var isAdapted: Bool

    package init(weightDecay: Double, rateFactor: Double = 1, isAdapted: Bool = true) {
        (self.weightDecay, self.rateFactor, self.isAdapted) = (weightDecay, rateFactor, isAdapted)
    }

    /// The usual two groups: matrices and kernels decay, vectors (normalisation, biases) do not and take plain updates.
    package static func decayingMatrices(_ weightDecay: Double) -> (Parameter) -> ParameterRule {
        { $0.isVector ? ParameterRule(weightDecay: 0, isAdapted: false) : ParameterRule(weightDecay: weightDecay) }
    }
}
