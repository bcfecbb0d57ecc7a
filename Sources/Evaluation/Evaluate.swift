package import Learning
package import MessagePassing
package import NeuralNetwork
import TensorCore

/// What an encoder is scored on; a part that is nil is left out. The same on every rank.
package struct EvaluationPlan {
    /// Pictures with classes: nearest neighbours and a linear probe, trained on one set and scored on another.
    package struct Classification {
        package let training, validation: PictureSource
        /// The class of each picture, 0..<classes.
        package let trainingLabels, validationLabels: [Int]
        package let classes: Int

        package init(
            training: PictureSource, trainingLabels: [Int], validation: PictureSource, validationLabels: [Int],
            classes: Int
        ) {
            precondition(
                training.count == trainingLabels.count && validation.count == validationLabels.count,
                "\(trainingLabels.count) and \(validationLabels.count) labels for \(training.count) and "
                    + "\(validation.count) pictures")
            self.training = training
            self.trainingLabels = trainingLabels
            self.validation = validation
            self.validationLabels = validationLabels
            self.classes = classes
        }
    }

    /// Pictures with a label for every pixel.
    package struct Segmentation {
        package let training, validation: LabelledPictureSource
        package let scheme: LabelScheme

        package init(training: LabelledPictureSource, validation: LabelledPictureSource, scheme: LabelScheme) {
            self.training = training
            self.validation = validation
            self.scheme = scheme
        }
    }

    package var classification: Classification?
    package var segmentation: Segmentation?
    package var correspondence: ViewPairSource?
    /// Pictures that were left out when the sets were listed.
    package var unlisted: [SkippedPicture] = []
    /// Keys the order in which probes see their samples.
    package var seed: UInt64 = 1
    /// Bytes that features of training pictures may take, for classification on rank zero, for segmentation on all ranks
    /// together; of more pictures an evenly spread part is used.
    package var memory = 2 << 30
    /// Pictures of which two crops are compared, evenly spread.
    package var correspondencePictures = 512

    package init() {}
}

/// Scores a frozen encoder. Collective: all ranks extract features, rank zero trains the linear probe, all ranks that of
/// segmentation, and every rank returns the same report or throws.
///
/// `progress` hears of this rank's part; where rank zero works alone, only there. An error that it throws on any rank
/// ends the evaluation on all, as an `AgreedError`.
package func evaluateEncoder(
    _ encoder: any Backbone, plan: EvaluationPlan, communicator: any Collective,
    progress: EvaluationProgress = { _, _, _ in }
) throws -> EvaluationReport {
    let extractor = FeatureExtractor(encoder: encoder, communicator: communicator)
    var report = EvaluationReport(scores: [], skipped: plan.unlisted)
    if let classification = plan.classification {
        report.add(try extractor.classify(classification, plan, progress))
    }
    if let segmentation = plan.segmentation {
        let result = try extractor.segmentation(
            training: segmentation.training, validation: segmentation.validation, scheme: segmentation.scheme,
            seed: plan.seed, memory: plan.memory, progress: progress)
        report.add(result)
    }
    if let pairs = plan.correspondence {
        let indices = spread(pairs.count, limit: plan.correspondencePictures)
        let (result, skipped) = try extractor.correspondence(pairs, indices: indices) {
            try progress("correspondence", $0, $1)
        }
        let scores = [
            Score(
                name: "correspondence", value: result.accuracy, chance: result.chance, trained: 0,
                scored: result.pictures),
            Score(name: "feature spread", value: result.featureSpread, trained: 0, scored: result.pictures),
        ]
        report.add(EvaluationReport(scores: scores, skipped: skipped))
    }
    return report
}

extension EvaluationReport {
    fileprivate mutating func add(_ other: EvaluationReport) {
        scores += other.scores
        let known = Set(skipped)
        skipped += other.skipped.filter { !known.contains($0) }
        notes += other.notes
    }
}

extension FeatureExtractor {
    /// Nearest neighbours and linear probe on the same features. Collective.
    fileprivate func classify(
        _ set: EvaluationPlan.Classification, _ plan: EvaluationPlan, _ progress: EvaluationProgress
    ) throws -> EvaluationReport {
        // Features, their unit and their scaled copies.
        let limit = plan.memory / (3 * 4 * encoder.top.channels)
        let training = try pooled(set.training, indices: spread(set.training.count, limit: limit)) {
            try progress("training features", $0, $1)
        }
        let validation = try pooled(
            set.validation, indices: spread(set.validation.count, limit: limit)
        ) { try progress("validation features", $0, $1) }
        let scores: [Score] = try communicator.directed("scoring classification") {
            let known = training.indices.map { set.trainingLabels[$0] }
            let wanted = validation.indices.map { set.validationLabels[$0] }
            guard known.count >= 2, !wanted.isEmpty else {
                let first = (training.skipped + validation.skipped).first.map { "; the first: \($0)" } ?? ""
                throw EvaluationError(
                    "\(known.count) training and \(wanted.count) validation pictures of the classification score can "
                        + "be read, at least 2 and 1 are needed\(first)")
            }
            let neighbours = NearestNeighbours(features: training.features, labels: known, classes: set.classes)
            let nearest = try neighbours.accuracy(of: validation.features, labels: wanted) {
                try progress("nearest neighbours", $0, $1)
            }
            let probe = try LinearProbe(
                features: training.features, labels: known, classes: set.classes, seed: plan.seed
            ) { try progress("linear probe", $0, $1) }
            let linear = probe.accuracy(of: validation.features, labels: wanted)
            let chance = 1 / Double(set.classes)
            return [("knn top-1", nearest), ("linear top-1", linear)].map { name, value in
                Score(name: name, value: value, chance: chance, trained: known.count, scored: wanted.count)
            }
        }
        return EvaluationReport(scores: scores, skipped: training.skipped + validation.skipped)
    }
}
