package import NeuralNetwork
package import TensorCore

/// What shapes a detector, and what its levels look for.
package struct DetectorSettings: Sendable, Equatable {
    package var architecture = ResNetArchitecture.resnet50
    package var classes = 80
    package var convention = DetectionConvention.fcos
    package var levels = DetectorLevels.p3ToP7
    /// Of the pyramid and the towers: a multiple of `DetectorTower.groups`.
    package var channels = 256
    /// Convolutions of each tower.
    package var towerDepth = 4
    package var sizeRanges = SizeRanges([64, 128, 256, 512])!
    /// Whether batch normalisation follows the pyramid's convolutions, as in pretraining.
    package var normalizesPyramid = false
    package var trunkStatistics = TrunkStatistics.trained
    /// The backbone's first layer and stages that do not learn: 0 for none, 1 for the first layer, 2 for it and C2.
    package var frozenStages = 0
    /// What maps are stored as in training.
    package var elementType = ElementType.float32

    package init() {}
}

/// The levels of a pyramid that detect.
package enum DetectorLevels: Sendable, CaseIterable {
    case p3ToP5, p3ToP7

    /// 3 for P3 and so on, finest first.
    package var numbers: [Int] { Array(3...(self == .p3ToP5 ? 5 : 7)) }

    package init?(_ numbers: [Int]) {
        guard let levels = Self.allCases.first(where: { $0.numbers == numbers }) else { return nil }
        self = levels
    }

    /// How many stand on top of the backbone's own.
    var topLevels: Int { numbers.count - 3 }

    /// What the sides of padded images are multiples of, in both programs whose conventions there are: the backbone's stride. Of
    /// coarser levels the last row and column of cells may stand over the edge.
    package static let sideMultiple = 32
}

/// Where the sizes of boxes that a level looks for end and those of the next begin, in pixels of the network's input.
///
/// The size of a box for a point is how far its furthest side is.
package struct SizeRanges: Sendable, Equatable {
    package let ends: [Double]

    /// Nil unless the numbers are positive and rise.
    package init?(_ ends: [Double]) {
        guard ends.allSatisfy({ $0 > 0 && $0.isFinite }), zip(ends, ends.dropFirst()).allSatisfy({ $0 < $1 }) else {
            return nil
        }
        self.ends = ends
    }

    /// The range of a level, counted from the finest; the first begins below any box, the last takes all larger ones.
    func range(_ level: Int) -> ClosedRange<Double> {
        (level == 0 ? -1 : ends[level - 1])...(level == ends.count ? .infinity : ends[level])
    }
}
