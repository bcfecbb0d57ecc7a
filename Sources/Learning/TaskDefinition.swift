package import ImagePipeline
package import Settings
package import TensorCore

/// All that the program must know of a task: what its user decides, and how it is made of that.
package protocol TaskDefinition<Task>: TaskSettings {
    associatedtype Task: TrainingTask

    /// The pictures of a run. Collective; throws the same error on all ranks.
    func findPictures(_ roots: PictureRoots) throws -> Task.Pictures
    /// For a run of this seed on these pictures, with maps of the given type in training.
    func makeTask(seed: Int, elementType: ElementType, pictures: Task.Pictures) throws -> Task

    /// The networks of a checkpoint that can be exported, the usual one first.
    var exportMaps: [ExportMap] { get }
    /// What whoever is handed an export must know of it, beside what decides its tensors.
    var exportCard: [String: String] { get }

    /// What says of single pictures what was learned, with the networks of a checkpoint that was made with these
    /// architecture facts; nil where there is nothing to say.
    func makePredictor(_ architecture: [String: String], _ options: PredictionOptions) throws -> (any TaskPredictor)?
    /// Whether what it says of a picture is said of the hole that a mask names.
    var takesMasks: Bool { get }
}

extension TaskDefinition {
    package func makePredictor(
        _ architecture: [String: String], _ options: PredictionOptions
    ) throws -> (any TaskPredictor)? { nil }

    package var takesMasks: Bool { false }

    package var exportMaps: [ExportMap] { [] }
    package var exportCard: [String: String] { [:] }
}

extension TaskDefinition where Task.Pictures == ImageIndex {
    package func findPictures(_ roots: PictureRoots) throws -> ImageIndex { try roots.list() }
}
