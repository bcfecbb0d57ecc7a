import ImagePipeline
package import NeuralNetwork
package import Settings

extension ResNetArchitecture: ChoiceValue {
    package static var choices: [ResNetArchitecture] { published }
}

extension Dialect: ChoiceValue {}
extension PixelMethod: ChoiceValue {}
extension InstanceSettings.Kind: ChoiceValue {}
extension PretrainingSettings.OptimizerName: ChoiceValue {}

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
        return backbone + projector(features) + (model.method == .pixpro ? propagation : 0) + instance
    }

    /// Two views, one after the other: the outputs of all convolutions and normalisations, half as much again for
    /// gradients on their way.
    package var activationBytesPerImage: Int {
        let millionBytesAt224 =
            switch model.architecture {
            case .tiny: 1
            case .resnet18: 40
            case .resnet34: 60
            case .resnet50: 150
            case .resnet101: 230
            case .resnet152: 320
            }
        return max(1, millionBytesAt224 * 1_000_000 * views.imageSize * views.imageSize / (224 * 224))
    }
}
