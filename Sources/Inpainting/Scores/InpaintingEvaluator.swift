import Evaluation
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import SystemPackage
import TensorCore

/// Scores a generator on pictures that it is not trained on, beside fills that take no learning; each rank on a part.
package final class InpaintingEvaluator: TaskEvaluator {
    private let generator: Generator
    private let data: InpaintingData
    private let evaluation: InpaintingEvaluation
    private let trained: Int
    /// Nil where nothing is to be scored.
    private let pictures: ImageIndex?
    private let masks: MaskFolder?
    private let communicator: any Collective

    /// Finds the pictures and masks. Collective.
    package init(
        _ generator: Generator, _ settings: InpaintingSettings, trained: Int,
        communicator: any Collective
    ) throws {
        (self.generator, data, evaluation) = (generator, settings.data, settings.evaluation)
        (self.trained, self.communicator) = (trained, communicator)
        pictures = try settings.evaluation.images.map {
            try ImageIndex.shared([$0], listing: "evaluation.images", communicator)
        }
        masks = try communicator.agree(on: "finding the masks") {
            try settings.evaluation.masks.map { try MaskFolder($0) }
        }
    }

    /// A picture, its hole, and what is made of it.
    private struct Sample {
        let truth: Tensor
        let mask: HoleMask
    }

    /// What is said of one picture.
    private struct Scored: Codable {
        let network: PictureScores
        /// In the order of `SimpleFill`.
        let simple: [PictureScores]
    }

    package func evaluate(progress: @escaping EvaluationProgress) throws -> EvaluationReport {
        guard let pictures else { return EvaluationReport(scores: [], notes: ["evaluation.images is not set"]) }
        let chosen = pictures.spread(limit: evaluation.limit), filling = PictureFilling(generator)
        let shown = Set(chosen.prefix(evaluation.shown))
        var scores: [Scored] = [], panels: [EvaluationPicture] = []
        let skipped = try communicator.agree(on: "filling holes") {
            try loadInBatches(
                communicator.slice(of: chosen), batchSize: ComputeThreads.shared.threads,
                name: pictures.description(of:), load: { try load($0, of: pictures) },
                progress: { try progress("filling", $0, $1) }
            ) { loaded in
                for (place, sample) in loaded {
                    let filled = filling.fill(sample.truth, sample.mask)
                    scores.append(Self.score(sample, filled))
                    guard shown.contains(place) else { continue }
                    panels.append(
                        try EvaluationPicture(
                            name: pictures.name(of: place).withoutEnding.text,
                            SideBySide.image(truth: sample.truth, mask: sample.mask, filled: filled)))
                }
            }
        }
        let all = try communicator.gathered(scores)
        let left = try communicator.gathered(skipped) + pictures.leftOut.skipped.map(SkippedPicture.init)
        let pictured = try communicator.gathered(panels)
        return try communicator.agree(on: "scoring the fills") {
            guard !all.isEmpty else {
                let first = left.first.map { "; the first: \($0)" } ?? ""
                throw EvaluationError(
                    "none of the \(chosen.count) pictures of evaluation.images could be scored\(first)")
            }
            return EvaluationReport(
                scores: report(all), skipped: left, notes: [], pictures: pictured)
        }
    }

    private func load(_ place: Int, of pictures: ImageIndex) throws -> Sample {
        let bytes = try pictures.bytes(of: place), size = try ImageDecoder.size(of: bytes), side = data.imageSize
        let region = data.view.region(side: side, width: size.width, height: size.height, place: (0.5, 0.5))
        let truth = try RegionRenderer().render(bytes, region, height: side, width: side, .symmetric)
        guard let masks else {
            // Of the picture's place alone: the same holes in every evaluation of every run.
            var generator = KeyedGenerator(UInt64(place), Self.key)
            let draw = data.holes == .rectangles ? HoleDrawing.rectangle : HoleDrawing.strokes
            return Sample(truth: truth, mask: draw(side, side, &generator).mask)
        }
        let mask = try masks.mask(of: pictures.name(of: place), height: size.height, width: size.width)
            .cropped(PixelWindow(top: region.y, left: region.x, height: region.height, width: region.width))
            .resized(height: side, width: side)
        guard mask.area > 0, mask.area < side * side else {
            throw ImageError("is not scored: in the part that is looked at its mask has no hole, or nothing else")
        }
        return Sample(truth: truth, mask: mask)
    }

    private static func score(_ sample: Sample, _ filled: FilledPicture) -> Scored {
        Scored(
            network: PictureScores(truth: sample.truth, filled: filled.result, mask: sample.mask),
            simple: SimpleFill.allCases.map { fill in
                PictureScores(truth: sample.truth, filled: fill.fill(sample.truth, sample.mask), mask: sample.mask)
            })
    }

    /// Of the generator, then of each simple fill.
    private func report(_ scored: [Scored]) -> [Score] {
        let simple = SimpleFill.allCases.enumerated().flatMap { place, fill in
            scores(scored.map { $0.simple[place] }, " by \(fill.rawValue)", trained: 0)
        }
        return scores(scored.map(\.network), "", trained: trained) + simple
    }

    private func scores(_ scored: [PictureScores], _ suffix: String, trained: Int) -> [Score] {
        [("hole", scored.map(\.hole)), ("whole", scored.map(\.whole))].flatMap { region, scores in
            let mean = FillScores(meanOf: scores)
            func score(_ name: String, _ value: Double, _ unit: String, _ better: Score.Direction) -> Score {
                Score(
                    name: "\(name) \(region)\(suffix)", value: value, unit: unit, better: better, trained: trained,
                    scored: scored.count)
            }
            return [
                score("L1", mean.l1, Score.share, .lower), score("L2", mean.l2, Score.share, .lower),
                score("PSNR", mean.signalToNoise, "dB", .higher), score("SSIM", mean.similarity, "", .higher),
                score("TV", mean.totalVariation, Score.share, .lower),
            ]
        }
    }

    /// Sets the holes of evaluation apart from those of training.
    private static let key: UInt64 = 0x6576_616C_6D61_736B
}
