import ImagePipeline
import PixelLearning

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

    package init(_ configuration: RunConfiguration) { remedy = Self.remedy(configuration) }

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
    package static func forecast(_ configuration: RunConfiguration) -> String? {
        let side = (configuration.data.imageSize + 31) / 32
        // About a fifth of a second in the worst case.
        let pairs = min(500, max(20, 20_000_000 / (side * side * side * side)))
        let transform = configuration.viewTransform
        for sample in 0..<pairs {
            let boxes = transform.boxes(width: 640, height: 480, epoch: 0, sample: sample)
            let found = PositivePairs(
                query: boxes.0, key: boxes.1, rows: side, columns: side, threshold: configuration.method.threshold,
                inclusive: configuration.method.dialect.thresholdIsInclusive)
            if found.counts[0] > 0 { return nil }
        }
        return
            "not one of \(pairs) pairs of crops has two cells that show the same place: training would learn next to "
            + "nothing; \(remedy(configuration))"
    }

    private static func remedy(_ configuration: RunConfiguration) -> String {
        "raise method.threshold (\(configuration.method.threshold)) or data.minimumCrop (\(configuration.data.minimumCrop))"
    }
}

/// Images per second, averaged over about the last 20 steps.
struct RateMeter {
    private var images = 0.0
    private var seconds = 0.0

    mutating func add(images: Int, seconds: Double) {
        let decay = self.seconds == 0 ? 0 : 0.95
        self.images = decay * self.images + Double(images)
        self.seconds = decay * self.seconds + seconds
    }

    var imagesPerSecond: Double { seconds > 0 ? images / seconds : 0 }
}
