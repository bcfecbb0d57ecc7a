package import ImagePipeline
package import MessagePassing
package import Settings
package import TensorCore

/// All that the program must know of a task: what its user decides, and how it is made of that.
package protocol TaskDefinition<Task>: TaskSettings {
    associatedtype Task: TrainingTask

    /// The pictures of a run. Collective; throws the same error on all ranks.
    func findPictures(_ roots: PictureRoots) throws -> Task.Pictures
    /// For a run of this seed, with maps of the given type in training.
    ///
    /// - Parameters:
    ///   - facts: what is known of its pictures (`facts(of:)`), or what a checkpoint says.
    ///   - isRestored: whether all values come from a checkpoint: then none are drawn.
    func makeTask(seed: Int, elementType: ElementType, facts: [String: String], isRestored: Bool) throws -> Task

    /// How pixels become numbers; nil for a task that has a scale of its own.
    var pixelSettings: PixelSettings? { get }

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
    package var pixelSettings: PixelSettings? { nil }

    package var exportMaps: [ExportMap] { [] }
    package var exportCard: [String: String] { [:] }
}

extension TaskDefinition {
    /// What is known of the pictures of a run: of one that goes on what its checkpoint says, but for what they say today; of a
    /// new one the statistics of their pixels where they are wanted, with a sentence for the log. Collective.
    package func facts(
        of pictures: Task.Pictures, checkpoint: [String: String]?, _ communicator: any Collective,
        advance: () throws -> Void = {}
    ) throws -> (facts: [String: String], notes: [String]) {
        if let checkpoint { return (checkpoint.merging(pictures.facts) { $1 }, []) }
        guard let pixels = pixelSettings, pixels.isMeasured else { return (pictures.facts, []) }
        let statistics = try PixelStatistics(of: pictures.index, communicator, advance: advance)
        let facts = pictures.facts.merging(statistics.normalization.facts) { $1 }
        let used = try pixels.resolved(facts).normalization.facts
        return (
            facts,
            [
                "measured in \(statistics.pictures) pictures; pixels in 0…1 have the mean \(used["mean"]!) taken from them, and "
                    + "are divided by the deviation \(used["std"]!)"
            ]
        )
    }
}

extension TaskDefinition where Task.Pictures == ImageIndex {
    package func findPictures(_ roots: PictureRoots) throws -> ImageIndex { try roots.list() }
}
