import Files
package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// What verification must know of a task: what a reference of it holds, and how a step of it is looked into.
package protocol ReferenceSubject {
    associatedtype Task: TrainingTask

    /// What a reference's metadata calls the task; nil where they say nothing of a task.
    static var taskName: String? { get }

    /// Reads the settings, and checks the shapes of what decides how large a model is made. Throws `ReferenceError`.
    init(_ reference: ReferenceFile) throws

    var reference: ReferenceFile { get }
    /// Of a step.
    var images: Int { get }
    /// Steps of the run that the reference begins, by which averages move.
    var totalSteps: Int { get }
    /// The parts of the loss that a reference may have.
    var lossParts: [String] { get }

    func makeTask(engines: EngineList) -> Task
    func batch(step: Int, images: Range<Int>) throws -> Task.Samples.Batch
    /// A part of a step's loss over all ranks.
    func loss(_ part: String, of totals: Figures.Totals) -> Double
    /// What the networks make of a batch in training mode, by the names that references have: [N, H, W, C] or [N, C]. The
    /// running statistics are put back by the caller. Collective.
    func features(_ task: Task, _ batch: Task.Samples.Batch, _ pass: Pass) throws -> [String: Tensor]
    /// Compares what a reference of this task expects beside losses, features, gradients and weights, with the initial
    /// weights and exact sums. Collective.
    func compareFurther(_ task: Task, _ comparison: ReferenceComparison) throws
}

extension ReferenceSubject {
    package var totalSteps: Int { reference.steps }
    package func loss(_ part: String, of totals: Figures.Totals) -> Double { totals.sum("loss \(part)") }
    package func compareFurther(_ task: Task, _ comparison: ReferenceComparison) throws {}

    /// Throws unless the file has the loss of each step, and of its parts none that the task has not.
    package func checkLossParts() throws {
        if let strange = reference.lossParts.first(where: { !lossParts.contains($0) }) {
            throw ReferenceError(
                description:
                    "\(reference.path.shown): 'expected.loss.\(strange)' is nothing that this method's loss has")
        }
        for part in [""] + reference.lossParts.map({ "." + $0 }) {
            for name in ["expected.loss\(part)", "drift.loss\(part)"] {
                try reference.require(name, shape: [reference.steps])
            }
        }
    }
}
