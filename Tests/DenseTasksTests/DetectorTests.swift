import DenseTasks
import Glibc
import ImagePipeline
import Learning
import NeuralNetwork
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// The detector as a network: what it has, what of it learns, what it finds.
@Suite struct DetectorTests {
    private func tiny(_ change: (inout DetectorSettings) -> Void = { _ in }) -> DetectorSettings {
        var settings = DetectorSettings()
        (settings.architecture, settings.channels, settings.towerDepth, settings.classes) = (.tiny, 32, 1, 3)
        change(&settings)
        return settings
    }

    /// torchvision's `fcos_resnet50_fpn` reports 32,269,600 parameters, normalisation of the trunk being none.
    @Test func publishedSizes() {
        var settings = DetectorSettings()
        (settings.classes, settings.convention, settings.trunkStatistics) = (91, .torchvision, .frozen)
        func count(_ settings: DetectorSettings) -> Int {
            Detector(settings, seed: nil).trained.reduce(0) { $0 + $1.value.count }
        }
        #expect(count(settings) == 32_269_600)
        settings.convention = .fcos
        #expect(count(settings) == 32_269_605)
    }

    @Test func namesContinueThoseOfPretraining() {
        let names = Set(Detector(tiny(), seed: 1).state.parameters.map(\.name))
        #expect(
            names.isSuperset(of: [
                "encoder.layer4.0.conv2.weight", "pyramid.lateral3.conv.bias", "pyramid.output5.conv.weight",
                "pyramid.p6.weight", "pyramid.p7.bias", "tower_cls.0.conv.bias", "tower_bbox.0.gn.weight",
                "cls_logits.weight", "bbox_pred.bias", "ctrness.weight", "scales.0.scale", "scales.4.scale",
            ]))
        let other = tiny { ($0.levels, $0.convention, $0.normalizesPyramid) = (.p3ToP5, .torchvision, true) }
        let others = Set(Detector(other, seed: 1).state.parameters.map(\.name))
        #expect(others.contains("pyramid.lateral3.bn.weight") && !others.contains("pyramid.p6.weight"))
        #expect(!others.contains { $0.hasPrefix("scales") })
    }

    /// No scores, and no boxes of numbers that are none.
    @Test(arguments: ["cls_logits.bias", "bbox_pred.weight", "ctrness.bias"])
    func aNetworkThatOverflowsFindsNothingAndSaysSo(_ name: String) throws {
        var settings = DetectionSettings()
        settings.model = tiny { $0.convention = .torchvision }
        let predictor = DetectionPredictor(
            settings, categories: (1...3).map { AnnotatedCategory(id: $0, name: "\($0)") })
        for parameter in predictor.states[0].parameters where parameter.name == name {
            parameter.value.fill(.infinity)
        }
        let gray = [UInt8](repeating: 128, count: 64 * 48 * 3)
        let picture = PredictedPicture(name: "a.png", bytes: try encodePNG(rgb: gray, width: 64, height: 48))
        let error = #expect(throws: ImageError.self) { try predictor.predict(picture) }
        #expect(error.map { $0.reason.contains("not finite") } == true, "\(String(describing: error))")
    }

    /// What is frozen is no parameter of an update, and its statistics stay through training.
    @Test func frozenPartsDoNotLearn() throws {
        for (frozenStages, statistics) in [(0, TrunkStatistics.frozen), (2, .trained), (5, .trained)] {
            let detector = Detector(
                tiny { ($0.frozenStages, $0.trunkStatistics) = (frozenStages, statistics) }, seed: 1)
            let trained = Set(detector.trained.map(\.name))
            #expect(trained.contains("encoder.conv1.weight") == (frozenStages == 0))
            #expect(trained.contains("encoder.layer1.0.conv1.weight") == (frozenStages < 2))
            #expect(trained.contains("encoder.layer2.0.conv1.weight") == (frozenStages < 5))
            #expect(trained.contains("encoder.layer2.0.bn1.weight") == (statistics == .trained && frozenStages < 5))
            #expect(trained.contains("pyramid.lateral3.conv.weight"))
            let before = detector.state.statistics.map(\.mean.array)
            _ = try detector(randomTensor([2, 64, 64, 3], key: 1), Pass(mode: .training))
            for (statistic, old) in zip(detector.state.statistics, before) {
                let isKept =
                    statistics == .frozen || frozenStages == 5 || statistic.name.hasPrefix("encoder.bn1")
                    || statistic.name.hasPrefix("encoder.layer1")
                #expect((statistic.mean.array == old) == isKept, "\(statistic.name)")
            }
        }
    }

    /// A loss that is a sum over points, divided by numbers of all ranks: its parts add up, however images were dealt.
    @Test(arguments: DetectionConvention.allCases) func partsOfABatchAddUp(_ convention: DetectionConvention) throws {
        let settings = tiny {
            ($0.convention, $0.trunkStatistics, $0.levels) = (convention, .frozen, .p3ToP5)
            $0.sizeRanges = SizeRanges([64, 128])!
        }
        let detector = Detector(settings, seed: 1), images = randomTensor([3, 96, 64, 3], key: 1)
        let object = TargetObject(box: Box(x: 10, y: 20, width: 40, height: 30), category: 2)
        let objects = [[], [object], [object, TargetObject(box: Box(x: 1, y: 1, width: 62, height: 94), category: 0)]]
        func losses(_ range: Range<Int>, _ normalizers: LossNormalizers?) throws -> (DetectorLosses, LossNormalizers) {
            let pass = Pass(mode: .training), maps = try detector(images.rows(range), pass)
            let targets = FCOSTargets(maps.points, objects: Array(objects[range]))
            let own = LossNormalizers(
                positives: Double(targets.positives), centernessSum: targets.centernessSum)
            return (detector.losses(maps, targets, normalizers ?? own, share: 0.5, pass), own)
        }
        let (whole, normalizers) = try losses(0..<3, nil)
        let parts = try [0..<1, 1..<2, 2..<3].map { try losses($0, normalizers) }
        #expect(parts.reduce(0) { $0 + $1.1.positives } == normalizers.positives && parts[0].1.positives == 0)
        for value in [\DetectorLosses.classes, \.boxes, \.centerness] {
            let sum = parts.reduce(0) { $0 + $1.0[keyPath: value] }
            #expect(abs(sum - whole[keyPath: value]) < 1e-5 * sum && sum > 0)
        }
        #expect(parts[0].0.boxes == 0 && parts[0].0.centerness == 0 && parts[0].0.classes > 0)
        #expect(abs(Double(whole.variable.value.array[0]) - whole.total) < 1e-5 * whole.total)
        // Nothing to find on any rank.
        let (empty, none) = try losses(0..<1, nil)
        #expect(none.positives == 0 && empty.total.isFinite && empty.boxes == 0)
    }

    /// Maps are rounded, outputs and losses are not.
    @Test func bfloat16HasAboutTheSameLossAndGradients() throws {
        let settings = tiny {
            ($0.levels, $0.normalizesPyramid) = (.p3ToP5, true)
            $0.sizeRanges = SizeRanges([64, 128])!
        }
        let images = randomTensor([2, 64, 96, 3], key: 1)
        let objects = [
            [TargetObject(box: Box(x: 10, y: 20, width: 40, height: 30), category: 2)],
            [TargetObject(box: Box(x: 30, y: 4, width: 60, height: 56), category: 0)],
        ]
        func run(_ type: ElementType) throws -> (losses: [Double], gradients: [Float]) {
            let detector = Detector(settings, seed: 1), tape = Tape()
            detector.state.allocateGradients()
            let pass = Pass(mode: .training, tape: tape, elementType: type)
            let maps = try detector(images, pass)
            #expect(maps.pyramid.allSatisfy { $0.value.elementType == type })
            #expect(maps.levels.allSatisfy { $0.distances.value.elementType == .float32 })
            let targets = FCOSTargets(maps.points, objects: objects)
            let normalizers = LossNormalizers(
                positives: Double(targets.positives), centernessSum: targets.centernessSum)
            let losses = detector.losses(maps, targets, normalizers, share: 1, pass)
            try tape.backward(from: losses.variable, seed: Tensor([1], [1]))
            let heads = detector.state.parameters.filter { $0.name.hasPrefix("cls") || $0.name.hasPrefix("scales") }
            return ([losses.classes, losses.boxes, losses.centerness], heads.flatMap { $0.gradient!.array })
        }
        let exact = try run(.float32), rounded = try run(.bfloat16)
        for (a, b) in zip(rounded.losses, exact.losses) { #expect(abs(a - b) < 0.02 * b, "\(rounded), \(exact)") }
        #expect(relativeError(rounded.gradients, exact.gradients) < 0.05)
    }

    /// Outputs that a test writes: every point shows class 1 with the same score.
    private func found(
        _ settings: DetectorSettings, sizes: [(height: Int, width: Int)], _ rule: DetectionRule, classLogit: Float
    ) throws -> [[FoundObject]] {
        let detector = Detector(settings, seed: 1)
        for parameter in detector.state.parameters {
            switch parameter.name {
            case "cls_logits.weight", "bbox_pred.weight", "ctrness.weight", "ctrness.bias": parameter.value.fill(0)
            case "cls_logits.bias": parameter.value.copy(from: Tensor([3], [-20, classLogit, -20]))
            case "bbox_pred.bias": parameter.value.fill(0.5)
            default: break
            }
        }
        let images = Tensor.zeros([sizes.count, 64, 64, 3])
        return detector.detections(try detector(images, Pass(mode: .evaluation)), sizes: sizes, rule)
    }

    @Test func ofEqualScoresTheFinerLevelAndTheEarlierPointComeFirst() throws {
        let settings = tiny {
            $0.levels = .p3ToP5
            $0.sizeRanges = SizeRanges([64, 128])!
        }
        var rule = DetectionRule(.fcos)
        let all = try found(settings, sizes: [(64, 64), (64, 20)], rule, classLogit: 0)
        // Cells of 8, 16 and 32 pixels, none of which covers 0.6 of another.
        #expect(all[0].map(\.point) == Array(0..<64 + 16 + 4))
        #expect(all[0].allSatisfy { abs($0.score - 0.5) < 1e-9 && $0.category == 1 })
        #expect(all[0][9].box == Box(x: 8, y: 8, width: 8, height: 8))
        // Of the narrow image the cells beyond it are empty, and the third column is cut.
        #expect(Set(all[1].filter { $0.point < 64 }.map { $0.point % 8 }) == [0, 1, 2])
        #expect(all[1].first { $0.point == 2 }?.box == Box(x: 16, y: 0, width: 4, height: 8))
        rule.most = 5
        #expect(try found(settings, sizes: [(64, 64)], rule, classLogit: 0)[0].map(\.point) == [0, 1, 2, 3, 4])
        (rule.most, rule.candidates) = (100, 2)
        #expect(try found(settings, sizes: [(64, 64)], rule, classLogit: 0)[0].map(\.point) == [0, 1, 64, 65, 80, 81])
    }

    /// 0.1 of a class and 0.5 of centerness: above the one convention's threshold for the class, and, its root being 0.22,
    /// above the other's for the score; 0.06 is above the first alone, 0.04 above none.
    @Test(arguments: [(0.1, true, true), (0.06, true, false), (0.04, false, false)])
    func thresholdsAreTheConventions(_ probability: Double, _ isFound: Bool, _ isTorchvisions: Bool) throws {
        let logit = Float(-log(1 / probability - 1))
        for (convention, expected) in [(DetectionConvention.fcos, isFound), (.torchvision, isTorchvisions)] {
            let settings = tiny {
                $0.convention = convention
                $0.levels = .p3ToP5
                $0.sizeRanges = SizeRanges([64, 128])!
            }
            let all = try found(settings, sizes: [(64, 64)], DetectionRule(convention), classLogit: logit)
            #expect(all[0].isEmpty != expected)
        }
    }
}
