import Glibc
package import NeuralNetwork
package import TensorCore

/// FCOS (Tian et al. 2019): a backbone, a pyramid, and a head shared by its levels, which says for each cell what it shows,
/// how far the sides of that are, and how near its centre is.
///
/// Names continue those of pretraining, so that what was learned there is found: `encoder.*`, `pyramid.*`,
/// `tower_cls.<i>.*`, `tower_bbox.<i>.*`; beside them `cls_logits.*`, `bbox_pred.*`, `ctrness.*` and, counted from the
/// finest level, `scales.<i>.scale`.
package final class Detector {
    package let settings: DetectorSettings
    package let state: ModelState
    package let encoder: ResNet
    private let pyramid: FeaturePyramid
    private let classTower, boxTower: DetectorTower
    private let classifier, distance, centerness: Convolution2D
    /// By level; empty where the convention has none.
    private let scales: [LearnedScale]

    /// - Parameter seed: of the initial values; nil for a model that is filled by its maker.
    package init(_ settings: DetectorSettings, seed: UInt64?) {
        self.settings = settings
        state = ModelState(seed: seed)
        let root = Scope(state), channels = settings.channels
        encoder = ResNet(settings.architecture, root.child("encoder"))
        pyramid = FeaturePyramid(
            root.child("pyramid"), inputs: Array(encoder.levels.dropFirst()), channels: channels,
            normalizes: settings.normalizesPyramid, topLevels: settings.levels.topLevels)
        classTower = DetectorTower(root.child("tower_cls"), channels: channels, depth: settings.towerDepth)
        boxTower = DetectorTower(root.child("tower_bbox"), channels: channels, depth: settings.towerDepth)
        func predictor(_ name: String, _ outputs: Int) -> Convolution2D {
            Convolution2D(
                root.child(name), inputs: channels, outputs: outputs, kernel: 3, padding: 1, bias: true,
                start: .normal(deviation: 0.01))
        }
        classifier = predictor("cls_logits", settings.classes)
        (distance, centerness) = (predictor("bbox_pred", 4), predictor("ctrness", 1))
        // Each class begins with the probability 0.01, or the loss of all the background would drown everything.
        classifier.bias!.value.fill(Float(log(0.01 / 0.99)))
        // The published programs begin at 0, where a rectified side that is pushed below once may never come back: of eight
        // pictures one whole side was lost.
        distance.bias!.value.fill(1)
        scales =
            settings.convention.scalesLevels
            ? settings.levels.numbers.indices.map { LearnedScale(root.child("scales").child("\($0)")) } : []
        if settings.frozenStages > 0 { encoder.keepStatistics(ofFirst: settings.frozenStages - 1) }
        if settings.trunkStatistics == .frozen { encoder.keepStatistics(ofFirst: 4) }
    }

    /// Those that learn: not those of frozen stages, nor, where it is frozen, of the backbone's normalisation.
    package var trained: [Parameter] {
        var frozen = settings.frozenStages > 0 ? encoder.parameters(ofFirst: settings.frozenStages - 1) : []
        if settings.trunkStatistics == .frozen { frozen += encoder.parameters(ofFirst: 4).filter(\.isVector) }
        let names = Set(frozen.map(\.name))
        return state.parameters.filter { !names.contains($0.name) }
    }

    /// The head's words about a level, in float32.
    package struct LevelOutput {
        /// [N, h, w, classes].
        package let logits: Variable
        /// [N, h, w, 4]: to the left, top, right and bottom side, in strides, not negative.
        package let distances: Variable
        /// [N, h, w, 1].
        package let centerness: Variable
    }

    /// What the network makes of a batch, stage by stage.
    package struct Maps {
        /// C5.
        package let features: Variable
        /// Finest first.
        package let pyramid: [Variable]
        package let levels: [LevelOutput]
        /// Where the levels' cells stand.
        package let points: PyramidPoints
    }

    /// Images [N, H, W, 3], normalised.
    package func callAsFunction(_ images: Tensor, _ pass: Pass) throws -> Maps {
        let stages = try encoder.maps(Variable(images), pass)
        let maps = try pyramid(Array(stages.dropFirst()), pass)
        let points = PyramidPoints(
            settings, height: images.shape[1], width: images.shape[2],
            cells: maps.map { (rows: $0.value.shape[1], columns: $0.value.shape[2]) })
        let levels = maps.enumerated().map { index, map in
            let boxes = boxTower(map, pass)
            var distances = cast(distance(boxes, pass), to: .float32, pass)
            if !scales.isEmpty { distances = scales[index](distances, pass) }
            return LevelOutput(
                logits: cast(classifier(classTower(map, pass), pass), to: .float32, pass),
                distances: rectify(distances, pass), centerness: cast(centerness(boxes, pass), to: .float32, pass))
        }
        return Maps(features: stages[stages.count - 1], pyramid: maps, levels: levels, points: points)
    }
}
