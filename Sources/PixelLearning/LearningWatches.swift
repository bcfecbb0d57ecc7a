import ImagePipeline
import Learning
import NeuralNetwork

/// Notices features without variance: every picture and pixel gets the same vector.
package struct CollapseWatch {
    /// Below this spread of unit vectors nothing is told apart.
    static let limit = 0.001
    static let patience = 10
    private var steps = 0

    package init() {}

    /// A warning when the features have been alike for some steps, once until they recover.
    package mutating func add(_ spread: Double, step: Int) -> String? {
        steps = spread < Self.limit ? steps + 1 : 0
        guard steps == Self.patience else { return nil }
        return
            "the features have collapsed: their spread is \(significant(spread)) for \(Self.patience) steps up to step "
            + "\(step) (0 is one vector for everything); lower optimizer.baseLearningRate, lengthen schedule.warmupEpochs "
            + "or raise method.baseMomentum, and go back to an earlier checkpoint"
    }
}

/// Notices that no two cells of any image pair show the same place: there is nothing to learn from, and the loss is 0.
package struct OverlapWatch {
    private let remedy: String
    private var steps = 0

    package static let patience = 10

    package init(_ settings: PretrainingSettings) { remedy = Self.remedy(settings) }

    /// A warning when it has been so for some steps, once until pairs are found again.
    package mutating func add(_ positivesPerImage: Double, step: Int) -> String? {
        steps = positivesPerImage > 0 ? 0 : steps + 1
        guard steps == Self.patience else { return nil }
        return
            "no two cells of any image pair showed the same place in the \(Self.patience) steps up to step \(step): the "
            + "loss is 0 and nothing is learned; \(remedy), and look whether the pictures are but a few pixels wide or high"
    }

    /// What the settings alone say, before a picture is read: crops of a picture of 4:3 are drawn as in training until two
    /// cells match.
    package static func forecast(_ settings: PretrainingSettings) -> String? {
        let side = settings.model.levels[0].cells(settings.views.imageSize)
        // About a fifth of a second in the worst case.
        let pairs = min(500, max(20, 20_000_000 / (side * side * side * side)))
        let transform = settings.views.transform(seed: settings.seed)
        for sample in 0..<pairs {
            let boxes = transform.boxes(width: 640, height: 480, epoch: 0, sample: sample)
            let found = PositivePairs(
                query: boxes.0, key: boxes.1, rows: side, columns: side, threshold: settings.model.threshold,
                inclusive: settings.model.dialect.thresholdIsInclusive)
            if found.counts[0] > 0 { return nil }
        }
        return
            "not one of \(pairs) pairs of crops has two cells that show the same place: training would learn next to "
            + "nothing; \(remedy(settings))"
    }

    private static func remedy(_ settings: PretrainingSettings) -> String {
        "raise method.threshold (\(settings.model.threshold)) or data.minimumCrop (\(settings.views.minimumCrop))"
    }
}
