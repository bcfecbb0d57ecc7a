package import NeuralNetwork
package import Optimization
import TensorCore

/// A part of what a task trains: its parameters and statistics, and how its gradients become updates.
///
/// A detector is one, a generator and its critics are two. Each has updates, rates and messages of its own.
package final class TrainedModule {
    /// For figures and messages: `generator`.
    package let name: String
    /// All that it remembers, frozen parts included.
    package let state: ModelState
    /// Of the parameters that are trained.
    package let optimizer: any Optimizer

    package init(name: String, state: ModelState, optimizer: any Optimizer) {
        (self.name, self.state, self.optimizer) = (name, state, optimizer)
    }

    package var parameters: [Parameter] { optimizer.parameters }

    /// While false the module's parameters take no gradients, though gradients flow through it to others.
    var isLearning = true {
        didSet { for parameter in parameters { parameter.isHeld = !isLearning } }
    }
}

/// A model that follows another by averaging: θ ← m θ + (1 − m) θ' over parameters, once before each step.
///
/// Statistics are not averaged. The coefficient m rises from its base to 1 along a cosine.
package struct MovingAverage {
    package let state: ModelState
    /// What the state's parameters follow, in their order.
    package let followed: [Parameter]
    package let coefficient: MomentumSchedule

    package init(state: ModelState, followed: [Parameter], coefficient: MomentumSchedule) {
        precondition(
            state.parameters.count == followed.count,
            "\(state.parameters.count) parameters cannot follow \(followed.count)")
        (self.state, self.followed, self.coefficient) = (state, followed, coefficient)
    }

    /// One step with the coefficient `m`.
    package func move(by m: Double) {
        for (target, source) in zip(state.parameters, followed) {
            target.value.moveTowards(source.value, momentum: m)
        }
    }
}
