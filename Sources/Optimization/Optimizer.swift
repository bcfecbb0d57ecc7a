import NeuralNetwork
import TensorCore

/// A rule that turns the gradients of some parameters into updates.
public protocol Optimizer: AnyObject {
    var parameters: [Parameter] { get }
    /// What it remembers beside the parameters, each tensor in a parameter's layout, by the names that checkpoints use.
    var state: [(name: String, tensor: Tensor)] { get }
    /// Counts that it remembers, by the names that checkpoints use.
    var counters: [String: Int] { get set }
    /// One update from the parameters' gradients, which are left as they are.
    func update(learningRate: Double)
}

extension Optimizer {
    public var counters: [String: Int] {
        get { [:] }
        set { precondition(newValue.isEmpty, "this optimiser counts nothing, but was given \(newValue.keys)") }
    }
}

/// How one parameter is updated; those that share a rule are a group.
public struct ParameterRule: Sendable, Equatable {
    public var weightDecay: Double
    /// Multiplies the learning rate.
    public var rateFactor: Double
    /// Whether LARS scales the update by the tensor's norms.
    public var isAdapted: Bool

    public init(weightDecay: Double, rateFactor: Double = 1, isAdapted: Bool = true) {
        (self.weightDecay, self.rateFactor, self.isAdapted) = (weightDecay, rateFactor, isAdapted)
    }

    /// The usual two groups: matrices and kernels decay, vectors (normalisation, biases) do not and take plain updates.
    public static func decayingMatrices(_ weightDecay: Double) -> (Parameter) -> ParameterRule {
        { $0.isVector ? ParameterRule(weightDecay: 0, isAdapted: false) : ParameterRule(weightDecay: weightDecay) }
    }
}
