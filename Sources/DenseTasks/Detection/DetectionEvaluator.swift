import Evaluation
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import TensorCore

/// Scores a detector on annotated pictures, each rank looking for objects in a part of them.
package final class DetectionEvaluator: TaskEvaluator {
    private let detector: Detector
    private let settings: DetectionSettings
    private let trained: Int
    /// Nil where nothing is to be scored.
    private let pictures: AnnotatedImages?
    private let overlap: Overlap?
    private let communicator: any Collective

    /// Finds the pictures. Collective.
    package init(
        _ detector: Detector, _ settings: DetectionSettings, pictures: DetectionPictures, communicator: any Collective
    ) throws {
        (self.communicator, trained) = (communicator, pictures.annotated.images.count)
        (self.detector, self.settings) = (detector, settings)
        try communicator.agree(on: "reading what is to be scored") {
            guard settings.data.format == .voc, settings.data.annotations == nil, let set = settings.validation,
                set.images == nil, set.annotations == nil
            else { return }
            throw AnnotationError(
                "evaluation.validation names no other pictures than those that are trained on: name its list as "
                    + "evaluation.validation.annotations, or its folder as evaluation.validation.images")
        }
        self.pictures = try settings.validation.map { set in
            try AnnotatedImages(
                settings.source(set.images ?? pictures.root, set.annotations),
                categories: pictures.annotated.categories, communicator: communicator, advance: pictures.advance)
        }
        overlap = self.pictures.map { Overlap(trained: pictures.index, scored: $0.index) }
        guard let validation = self.pictures else { return }
        try communicator.agree(on: "looking for objects to find") {
            guard validation.images.contains(where: { $0.objects.contains { !$0.isCrowd } }) else {
                throw AnnotationError(
                    "evaluation.validation has no object to be found, so that nothing can be scored: are its annotations "
                        + "those of another set? " + validation.damage.report.joined(separator: ". "))
            }
        }
    }

    package func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        guard let pictures else { return EvaluationReport(scores: [], notes: ["evaluation.validation is not set"]) }
        // Of this evaluation alone: what it makes of the weights is freed with it.
        let detection = PictureDetection(detector, settings), index = pictures.index
        var own: [Detection] = []
        let skipped = try communicator.agree(on: "looking for objects") {
            try loadEach(
                communicator.slice(of: pictures.images.indices.map { $0 }),
                batchSize: ComputeThreads.shared.threads, name: index.description(of:),
                load: { place in
                    let picture = pictures.images[place], bytes = try index.bytes(of: place)
                    try picture.checkSize(of: bytes)
                    return try detection.load(bytes, height: picture.height, width: picture.width)
                },
                progress: { try progress("looking for objects", $0, $1) }
            ) { place, image in
                let picture = pictures.images[place]
                own += try detection.objects(image, height: picture.height, width: picture.width).map {
                    Detection(
                        image: picture.id, category: pictures.categories[$0.category].id, box: $0.box,
                        score: $0.score)
                }
            }
        }
        let found = try communicator.allGather(own).flatMap { $0 }, left = try communicator.gathered(skipped)
        return try communicator.agree(on: "scoring detections") { try report(found, in: pictures, left) }
    }

    private func report(
        _ found: [Detection], in pictures: AnnotatedImages, _ skipped: [SkippedPicture]
    ) throws -> EvaluationReport {
        // What nobody could look at is neither found nor missed.
        let names = Set(skipped.map(\.name)), index = pictures.index
        let seen = pictures.images.indices.filter { !names.contains(index.description(of: $0)) }
        guard !seen.isEmpty else {
            throw EvaluationError(
                "none of the \(pictures.images.count) pictures to be scored could be looked at; the first: "
                    + (skipped.first.map { "\($0)" } ?? "there is none"))
        }
        let truths = try pictures.truths(of: seen), coco = try truths.coco(found), voc = try truths.voc(found)
        let figures = coco.figures.filter { $0.name.hasPrefix("AP") } + [(name: "VOC AP50", value: voc.meanArea)]
        let missing = figures.filter { $0.value == nil }.map(\.name)
        let draws = settings.resamples > 0 ? try truths.resampledPrecision(found, draws: settings.resamples) : [:]
        return EvaluationReport(
            scores: figures.compactMap { name, value in
                value.map {
                    Score(
                        name: name, value: $0, trained: trained, scored: seen.count,
                        draws: draws[name])
                }
            },
            skipped: skipped,
            notes: (missing.isEmpty
                ? [] : ["not scored, there being no such object to find: \(missing.joined(separator: ", "))"])
                + [overlap?.note].compactMap { $0 } + pictures.damage.report)
    }
}
