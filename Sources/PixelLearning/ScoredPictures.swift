import ImagePipeline
import Learning
import MessagePassing

/// What is scored beside the pictures of training: as rank zero lists it, on every rank.
struct ScoredPictures {
    var classified: (train: ImageIndex, validation: ImageIndex)?
    var labelled: (train: SegmentationFolder, validation: SegmentationFolder)?

    /// Collective.
    init(_ settings: PretrainingSettings.Evaluation, _ communicator: any Collective) throws {
        if let sets = settings.classification {
            classified = (
                try .shared([sets.train], listing: "evaluation.classification.train", communicator),
                try .shared([sets.validation], listing: "evaluation.classification.validation", communicator)
            )
        }
        if let sets = settings.segmentation {
            func shared(_ set: PretrainingSettings.LabelledImages) throws -> SegmentationFolder {
                try .shared(communicator) { try SegmentationFolder(images: set.images, labels: set.labels) }
            }
            labelled = (try shared(sets.train), try shared(sets.validation))
        }
    }
}
