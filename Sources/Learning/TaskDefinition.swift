package import Settings
package import TensorCore

/// All that the program must know of a task: what its user decides, and how it is made of that.
package protocol TaskDefinition<Task>: TaskSettings {
    associatedtype Task: TrainingTask

    /// For a run of this seed, with maps of the given type in training.
    func makeTask(seed: Int, elementType: ElementType) throws -> Task
}
