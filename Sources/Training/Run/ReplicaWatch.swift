import DataParallel
package import MessagePassing
import Settings
package import TensorCore

/// Compares what ranks hold, now and then: after a flipped bit in one's memory they differ, and soon all are wrong.
///
/// A bit that flips within a gradient before it is summed is not seen: all ranks hold the same wrong sum.
package struct ReplicaWatch {
    /// 0: never; nil: by its pace.
    private let steps: Int?
    private var pace: Pace
    private var agreedStep = -1

    /// Of the training time, where `numbers.replicaSteps` is `auto`.
    private static let share = 0.001

    package init(_ settings: RunConfiguration.Numbers) {
        steps = settings.replicaSteps.count
        pace = Pace(seconds: nil, share: Self.share)
    }

    /// Training went on for so many seconds.
    package mutating func add(seconds: Double) { pace.add(seconds) }

    /// Whether ranks shall be compared after a step.
    package func isDue(at step: Int) -> Bool { steps.map(step.isMultiple(of:)) ?? pace.isDue }

    /// Throws a `ReplicaMismatchError` on all ranks that names who differs, unless all hold the same. Collective; free where
    /// it was done after this step.
    package mutating func compare(
        _ replicas: [(name: String, tensor: Tensor)], at step: Int, over communicator: any Collective
    ) throws {
        guard step != agreedStep else { return }
        let cost = try verifyReplicasAgree(replicas, over: communicator)
        agreedStep = step
        pace.done(cost: cost)
    }

    /// The state was loaded anew.
    package mutating func forget() { agreedStep = -1 }
}
