import Evaluation
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import TensorCore

/// Scores a segmenter at the resolution of the labels, each rank on a part of the pictures: their counts add up to one
/// confusion matrix.
package final class SegmentationEvaluator: TaskEvaluator {
    private let segmenter: Segmenter
    private let settings: SegmentationSettings
    private var evaluation: SegmentationSettings.Evaluation { settings.evaluation }
    /// Nil where nothing is to be scored.
    private let folder: SegmentationFolder?
    private let trained: Int
    private let overlap: Overlap?
    private let scheme: LabelScheme
    private let classNames: [String]
    private let communicator: any Collective

    /// Finds the pictures. Collective.
    package init(
        _ segmenter: Segmenter, _ settings: SegmentationSettings, pictures: LabelledPictures,
        communicator: any Collective
    ) throws {
        self.communicator = communicator
        (self.segmenter, self.settings) = (segmenter, settings)
        (scheme, classNames, trained) = (pictures.scheme, pictures.classNames, pictures.labelled)
        folder = try settings.evaluation.validation.map { set in
            try SegmentationFolder.shared(communicator) {
                try SegmentationFolder(
                    settings.data, images: set.images ?? pictures.root, labels: set.labels ?? settings.data.labels,
                    list: set.list, isTraining: false)
            }
        }
        overlap = folder.map { Overlap(trained: pictures.index, scored: $0.index) }
        // Before hours of training rather than after.
        if let folder {
            _ = try LabelSurvey(folder, "validation", scheme, communicator, advance: pictures.advance)
        }
    }

    package func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        guard let folder else { return EvaluationReport(scores: [], notes: ["evaluation.validation is not set"]) }
        // Of this evaluation alone: what it makes of the weights is freed with it.
        let segmentation = PictureSegmentation(segmenter, settings)
        // One for each picture only where they are drawn again: of many classes they are large.
        var own: [ConfusionMatrix] = [], count = 0
        let skipped = try communicator.agree(on: "segmenting pictures") {
            try loadEach(
                communicator.slice(of: Array(0..<folder.count)), batchSize: ComputeThreads.shared.threads,
                name: folder.description(of:), load: { try load($0, of: folder) },
                progress: { try progress("segmenting", $0, $1) }
            ) { _, picture in
                let ids = try segmentation.classes(
                    picture.bytes, height: picture.labels.height, width: picture.labels.width)
                var confusion = ConfusionMatrix(classes: scheme.classes)
                confusion.add(picture.labels, predictions: ids, scheme: scheme)
                if own.isEmpty || evaluation.resamples > 0 { own.append(confusion) } else { own[0].add(confusion) }
                count += 1
            }
        }
        let pictures = try gathered(own), scored = Int(try communicator.sum([Int64(count)])[0])
        let left = try communicator.gathered(skipped) + folder.leftOut.skipped.map(SkippedPicture.init)
        return try communicator.agree(on: "scoring segmentation") {
            try report(pictures, of: folder.count, scored: scored, left)
        }
    }

    /// The matrices of all ranks, in the order of the pictures. Collective.
    private func gathered(_ own: [ConfusionMatrix]) throws -> [ConfusionMatrix] {
        let size = scheme.classes * scheme.classes
        return try communicator.allGather(own.flatMap(\.counts)).flatMap { counts in
            stride(from: 0, to: counts.count, by: size).map { start in
                var matrix = ConfusionMatrix(classes: scheme.classes)
                matrix.counts = Array(counts[start..<start + size])
                return matrix
            }
        }
    }

    private func load(_ place: Int, of folder: SegmentationFolder) throws -> (bytes: [UInt8], labels: PixelLabels) {
        let bytes = try folder.imageBytes(of: place)
        let map = try folder.labels(of: place, bytes: bytes, classes: scheme.classes, void: scheme.void)
        return (bytes, PixelLabels(width: map.width, height: map.height, ids: map.ids))
    }

    private func report(
        _ matrices: [ConfusionMatrix], of pictures: Int, scored: Int, _ skipped: [SkippedPicture]
    ) throws -> EvaluationReport {
        var confusion = ConfusionMatrix(classes: scheme.classes)
        for matrix in matrices { confusion.add(matrix) }
        let scores = SegmentationScores(confusion, classNames: classNames)
        guard let mean = scores.mean, let accuracy = scores.pixelAccuracy else {
            let first = skipped.first.map { "; the first that was skipped: \($0)" } ?? ""
            throw EvaluationError(
                "none of the \(pictures) pictures to be scored has a labelled pixel that could be scored\(first)")
        }
        func score(_ name: String, _ value: Double, draws: [Double?]? = nil) -> Score {
            Score(name: name, value: value, trained: trained, scored: scored, draws: draws)
        }
        let draws = evaluation.resamples > 0 ? matrices.resampledMeans(evaluation.resamples) : nil
        return EvaluationReport(
            scores: [score("mIoU", mean, draws: draws), score("pixel accuracy", accuracy)]
                + scores.byClass.compactMap { name, value in value.map { score("IoU \(name)", $0) } },
            skipped: skipped, notes: [scores.note, overlap?.note].compactMap { $0 })
    }
}
