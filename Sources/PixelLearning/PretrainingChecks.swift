import ImagePipeline
import NeuralNetwork
package import Settings
package import Yams

extension Dialect: ChoiceValue {}
extension PixelMethod: ChoiceValue {}
extension InstanceSettings.Kind: ChoiceValue {}
extension PretrainingSettings.OptimizerName: ChoiceValue {}

extension PyramidLevels: SettingValue {
    package static var expectation: String { "a list of levels from 2 to 5 in their order, such as [3, 4, 5]" }

    package init?(yaml node: Node) {
        guard case .sequence(let sequence) = node else { return nil }
        let numbers = sequence.map { Int(yaml: $0) }
        guard !numbers.contains(nil) else { return nil }
        self.init(numbers.compactMap { $0 })
    }

    package var yaml: String { "[" + numbers.map(\.yaml).joined(separator: ", ") + "]" }
}

/// What the keys of pretraining say together.
extension PretrainingSettings {
    /// The differences between the dialects.
    package static var notes: [String] {
        ["Dialects (method.dialect)"]
            + Dialect.differences.flatMap {
                ["  \($0.subject)", "      official: \($0.official)", "      paper:    \($0.paper)"]
            }
    }

    package mutating func completeDefaults(except given: Set<String>) {
        if !given.contains("model.projectorWidth") { model.projectorWidth = model.dialect.projectorWidth }
    }

    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        let augmentation = views.augmentation
        for (low, least, high, most) in [
            ("data.minimumCrop", views.minimumCrop, "data.augmentation.maximumCrop", augmentation.maximumCrop),
            (
                "data.augmentation.minimumAspect", augmentation.minimumAspect, "data.augmentation.maximumAspect",
                augmentation.maximumAspect
            ),
            (
                "data.augmentation.minimumBlur", augmentation.minimumBlur, "data.augmentation.maximumBlur",
                augmentation.maximumBlur
            ),
        ] where least > most {
            problems.append(
                .init(
                    place(low), "\(low) \(least.yaml) is above \(high) \(most.yaml)",
                    remedy: "lower \(low), or raise \(high)"))
        }
        let pyramid = model.pyramid
        if pyramid.towerDepth > 0, pyramid.levels.numbers.isEmpty {
            problems.append(
                .init(
                    place("method.pyramid.towerDepth"), "towers stand on a pyramid, but method.pyramid.levels is empty",
                    remedy: "set method.pyramid.levels, to [3, 4, 5] for example, or method.pyramid.towerDepth to 0"))
        } else if model.hasTowers, !pyramid.channels.isMultiple(of: DetectorTower.groups) {
            problems.append(
                .init(
                    place("method.pyramid.channels"),
                    "method.pyramid.channels \(pyramid.channels) cannot be shared among the \(DetectorTower.groups) groups "
                        + "of a tower's normalisation",
                    remedy: "take a multiple of \(DetectorTower.groups), or set method.pyramid.towerDepth to 0"))
        }
        if let segmentation = evaluation.segmentation, let void = segmentation.void, void < segmentation.classes {
            problems.append(
                .init(
                    place("evaluation.segmentation.void"),
                    "void \(void) is one of the \(segmentation.classes) classes 0 to \(segmentation.classes - 1)",
                    remedy: "set evaluation.segmentation.void to the id that marks unlabelled pixels, or to null"))
        }
        return problems
    }

    /// Those of the backbone without its classifier, the projectors, the propagation and the predictor.
    package var parameterCount: Int {
        let backbone =
            switch model.architecture {
            case .tiny: 20_052
            case .resnet18: 11_176_512
            case .resnet34: 21_284_672
            case .resnet50: 23_508_032
            case .resnet101: 42_500_160
            case .resnet152: 58_143_808
            }
        let width = model.projectorWidth, outputs = model.projectionChannels
        func projector(_ inputs: Int) -> Int { (inputs + 1 + 2) * width + (width + 1) * outputs }
        let features = model.architecture.top.channels, layers = model.transformLayers
        let propagation = (outputs + 1) * outputs * layers + (layers == 2 ? 2 * outputs : 0)
        let instance =
            switch model.instance.kind {
            case .none: 0
            case .byol: projector(features) + projector(outputs)
            case .simclr: projector(features)
            }
        let branch =
            projector(model.projectorInputs) + (model.method == .pixpro ? propagation : 0)
            + (model.hasTowers
                ? model.pyramid.towerDepth * (9 * model.pyramid.channels + 3) * model.pyramid.channels : 0)
        return backbone + pyramidParameters + branch * model.branchSuffixes.count + instance
    }

    /// Of the lateral convolutions, 3×3 convolutions and normalisations.
    private var pyramidParameters: Int {
        guard !model.pyramid.levels.numbers.isEmpty else { return 0 }
        let channels = model.pyramid.channels
        return model.levels.reduce(0) { $0 + ($1.channels + 9 * channels + 4) * channels }
    }

    /// Both views'.
    package var interleavedActivations: Int { 2 }

    /// Two views, one after the other.
    package var activationBytesPerImage: Int {
        let backbone = model.architecture.activationBytes(pixels: views.imageSize * views.imageSize)
        return backbone + (model.pyramid.levels.numbers.isEmpty ? 0 : bytesBehindPyramid)
    }

    /// Of each cell of each level: the pyramid's two convolutions, normalised, and the sum between; in each branch two maps
    /// for a layer of its tower, the projector's hidden ones twice, and eight of the size of the projection on the way to the
    /// loss.
    private var bytesBehindPyramid: Int {
        let cells = model.levels.reduce(0) { $0 + $1.cells(views.imageSize) * $1.cells(views.imageSize) }
        let branch =
            2 * model.pyramid.towerDepth * model.pyramid.channels + 2 * model.projectorWidth + 8
            * model.projectionChannels
        return 4 * cells * (5 * model.pyramid.channels + model.branchSuffixes.count * branch)
    }
}
