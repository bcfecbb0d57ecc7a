import Files
package import ImagePipeline
package import MessagePassing
package import NeuralNetwork
package import TensorCore

/// What verification must know of a task: what a reference of it holds, and how a step of it is looked into.
package protocol ReferenceSubject {
    associatedtype Task: TrainingTask

    /// What a reference's metadata calls the task; nil where they say nothing of a task.
    static var taskName: String? { get }
    /// Whether a reference is of this task.
    static func recognizes(_ metadata: ReferenceMetadata) -> Bool

    /// Reads the settings, and checks the shapes of what decides how large a model is made. Throws `ReferenceError`.
    init(_ reference: ReferenceFile) throws

    var reference: ReferenceFile { get }
    /// Of an update.
    var images: Int { get }
    /// Updates that the reference holds: phases of the task's steps, in their order.
    var updates: Int { get }
    /// Steps of the run that the reference begins, by which averages move.
    var totalSteps: Int { get }
    /// The parts of the loss that a reference may have.
    var lossParts: [String] { get }

    func makeTask(engines: EngineList) -> Task
    /// What an update eats; of a task whose steps are one update, what a step does.
    func batch(step: Int, images: Range<Int>) throws -> Task.Samples.Batch
    func learningRate(ofUpdate update: Int) -> Double
    /// A part of a step's loss over all ranks.
    func loss(_ part: String, of totals: Figures.Totals) -> Double
    /// The loss of an update and its parts beside what the reference expects.
    func losses(_ totals: Figures.Totals, update: Int, _ phase: TrainingPhase) throws -> [ReferenceLoss]
    /// The same of a phase on the first batch with the initial weights.
    func firstLosses(_ totals: Figures.Totals, _ phase: TrainingPhase) throws -> [ReferenceLoss]
    /// What the networks make of a batch in training mode, by the names that references have: [N, H, W, C] or [N, C]. The
    /// running statistics are put back by the caller. Collective.
    func features(_ task: Task, _ batch: Task.Samples.Batch, _ pass: Pass) throws -> [String: Tensor]
    /// Compares what a reference of this task expects beside losses, features, gradients and weights, with the initial
    /// weights and exact sums. Collective.
    func compareFurther(_ task: Task, _ comparison: ReferenceComparison) throws
}

extension ReferenceSubject {
    package static func recognizes(_ metadata: ReferenceMetadata) -> Bool {
        (metadata.has("task") ? try? metadata.text("task") : nil) == taskName
    }

    /// The batch of this rank's images; what one rank's lacks is thrown on all. Collective.
    package func batch(
        ofStep step: Int, images: Range<Int>, over communicator: any Collective
    ) throws -> Task.Samples.Batch {
        try communicator.agree(on: "reading step \(step) of \(reference.path.shown)") {
            try batch(step: step, images: images)
        }
    }

    package var totalSteps: Int { reference.steps }
    package var updates: Int { reference.steps }
    package func learningRate(ofUpdate update: Int) -> Double { reference.learningRates[update] }
    package func loss(_ part: String, of totals: Figures.Totals) -> Double { totals.sum("loss \(part)") }
    package func compareFurther(_ task: Task, _ comparison: ReferenceComparison) throws {}

    package func features(
        _ task: Task, _ batch: Task.Samples.Batch, _ pass: Pass
    ) throws -> [String: Tensor] { [:] }

    package func losses(
        _ totals: Figures.Totals, update: Int, _ phase: TrainingPhase
    ) throws -> [ReferenceLoss] {
        try ([""] + reference.lossParts).map { part in
            let suffix = part.isEmpty ? "" : "." + part
            return ReferenceLoss(
                part: part, isWhole: part.isEmpty,
                value: part.isEmpty ? totals.sum(phase.lossName) : loss(part, of: totals),
                expected: Double(try reference.floats("expected.loss" + suffix)[update]),
                drift: Double(try reference.floats("drift.loss" + suffix)[update]))
        }
    }

    package func firstLosses(_ totals: Figures.Totals, _ phase: TrainingPhase) throws -> [ReferenceLoss] {
        try losses(totals, update: 0, phase)
    }

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

/// A loss, or a part of one, beside what a reference expects.
package struct ReferenceLoss: Sendable {
    /// Empty for the whole of a task with one loss.
    package let part: String
    /// Whether it is a sum of others.
    package let isWhole: Bool
    package let value, expected: Double
    /// Of the reference's own float32 run.
    package let drift: Double

    package init(part: String, isWhole: Bool, value: Double, expected: Double, drift: Double) {
        (self.part, self.isWhole) = (part, isWhole)
        (self.value, self.expected, self.drift) = (value, expected, drift)
    }
}
