import NeuralNetwork
import Optimization
import TensorCore

/// A part of what a task trains: its parameters and statistics, and how its gradients become updates.
///
/// A detector is one, a generator and its critics are two. Each has updates, rates and messages of its own.
public final class TrainedModule {
    /// For figures and messages: `generator`.
    public let name: String
    /// All that it remembers, frozen parts included.
    public let state: ModelState
    /// Of the parameters that are trained.
    public let optimizer: any Optimizer

    public init(name: String, state: ModelState, optimizer: any Optimizer) {
        (self.name, self.state, self.optimizer) = (name, state, optimizer)
    }

    public var parameters: [Parameter] { optimizer.parameters }

    /// While false the module's parameters take no gradients, though gradients flow through it to others.
    var isLearning = true {
        didSet { for parameter in parameters { parameter.isHeld = !isLearning } }
    }
}

/// A model that follows another by averaging: θ ← m θ + (1 − m) θ' over parameters, once before each step.
///
/// Statistics are not averaged. The coefficient m rises from its base to 1 along a cosine.
public struct MovingAverage {
    public let state: ModelState
    /// What the state's parameters follow, in their order.
    public let followed: [Parameter]
    public let coefficient: MomentumSchedule

    public init(state: ModelState, followed: [Parameter], coefficient: MomentumSchedule) {
        precondition(
            state.parameters.count == followed.count,
            "\(state.parameters.count) parameters cannot follow \(followed.count)")
        (self.state, self.followed, self.coefficient) = (state, followed, coefficient)
    }

    /// One step with the coefficient `m`.
    public func move(by m: Double) {
        for (target, source) in zip(state.parameters, followed) {
            target.value.moveTowards(source.value, momentum: m)
        }
    }
}
