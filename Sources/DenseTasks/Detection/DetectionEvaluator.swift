import Evaluation
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import TensorCore

/// Scores a detector on annotated pictures, each rank looking for objects in a part of them.
package final class DetectionEvaluator: TaskEvaluator {
    private let detector: Detector
    private let views: DetectionViews
    private let rule: DetectionRule
    private let trained: Int
    /// Nil where nothing is to be scored.
    private let pictures: AnnotatedImages?
    private let communicator: any Collective

    /// Finds the pictures. Collective.
    package init(
        _ detector: Detector, _ settings: DetectionSettings, pictures: DetectionPictures, communicator: any Collective
    ) throws {
        (self.detector, self.communicator) = (detector, communicator)
        (views, rule, trained) = (settings.views, settings.rule, pictures.annotated.images.count)
        self.pictures = try settings.validation.map { set in
            try AnnotatedImages(
                settings.source(set.images ?? pictures.root, set.annotations),
                categories: pictures.annotated.categories, communicator: communicator)
        }
    }

    package func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        guard let pictures else { return EvaluationReport(scores: [], notes: ["evaluation.validation is not set"]) }
        let convolutions = Convolutions(), index = pictures.index
        var own: [Detection] = []
        let skipped = try communicator.agree(on: "looking for objects") {
            try loadInBatches(
                communicator.slice(of: pictures.images.indices.map { $0 }),
                batchSize: ComputeThreads.shared.threads, name: index.description(of:),
                load: { try load(pictures.images[$0], try index.bytes(of: $0)) },
                progress: { try progress("looking for objects", $0, $1) }
            ) { loaded in
                for (place, image) in loaded { own += try detections(image, pictures, place, convolutions) }
            }
        }
        let found = try communicator.allGather(own).flatMap { $0 }, left = try communicator.gathered(skipped)
        return try communicator.agree(on: "scoring detections") { try report(found, in: pictures, left) }
    }

    /// A picture as it is looked at: at the largest size of training.
    private func load(_ picture: AnnotatedImage, _ bytes: [UInt8]) throws -> Tensor {
        try picture.checkSize(of: bytes)
        let whole = PixelRegion(x: 0, y: 0, width: picture.width, height: picture.height)
        let size = views.size(of: whole, shortSide: views.maximumSize)
        return try RegionRenderer().render(bytes, whole, height: size.height, width: size.width)
    }

    /// What is found in an image, in pixels of its picture.
    private func detections(
        _ image: Tensor, _ pictures: AnnotatedImages, _ place: Int, _ convolutions: Convolutions
    ) throws -> [Detection] {
        let batch = DetectionBatch(count: 1, sideMultiple: detector.settings.levels.largestStride)
        batch.images[0] = image
        let (height, width) = batch.largest, picture = pictures.images[place]
        let maps = try detector(
            batch.padded(height: height, width: width), Pass(mode: .evaluation, convolutions: convolutions))
        let scaleX = Double(picture.width) / Double(width), scaleY = Double(picture.height) / Double(height)
        return detector.detections(maps, sizes: [(height, width)], rule)[0].map { object in
            let box = object.box
            return Detection(
                image: picture.id, category: pictures.categories[object.category].id,
                box: Box(
                    x: box.x * scaleX, y: box.y * scaleY, width: box.width * scaleX, height: box.height * scaleY),
                score: object.score)
        }
    }

    private func report(
        _ found: [Detection], in pictures: AnnotatedImages, _ skipped: [SkippedPicture]
    ) throws -> EvaluationReport {
        let truths = try pictures.truths, coco = try truths.coco(found), voc = try truths.voc(found)
        let figures = coco.figures.filter { $0.name.hasPrefix("AP") } + [(name: "VOC AP50", value: voc.meanArea)]
        let missing = figures.filter { $0.value == nil }.map(\.name)
        return EvaluationReport(
            scores: figures.compactMap { name, value in
                value.map {
                    Score(name: name, value: $0, trained: trained, scored: pictures.images.count - skipped.count)
                }
            },
            skipped: skipped,
            notes: missing.isEmpty
                ? [] : ["not scored, there being no such object to find: \(missing.joined(separator: ", "))"])
    }
}
