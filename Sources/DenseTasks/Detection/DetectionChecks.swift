import NeuralNetwork
package import Settings
import TensorCore

/// What the keys of detection say together.
extension DetectionSettings {
    package mutating func completeDefaults(except given: Set<String>) {
        let levels = model.levels.numbers.count
        if !given.contains("detection.sizeRanges") {
            model.sizeRanges = SizeRanges((0..<levels - 1).map { Double(64 << $0) })!
        }
        if !given.contains("data.minimumSize") { views.minimumSize = views.maximumSize }
        if !given.contains("data.longestSide") { views.longestSide = views.maximumSize * 5 / 3 }
        if !given.contains("evaluation.threshold") { rule.threshold = model.convention.threshold }
    }

    package func contradictions(place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        func add(_ key: String, _ message: String, _ remedy: String) {
            problems.append(.init(place(key), message, remedy: remedy))
        }
        if !model.channels.isMultiple(of: DetectorTower.groups) {
            add(
                "detection.channels",
                "detection.channels \(model.channels) cannot be shared among the \(DetectorTower.groups) groups of a tower's "
                    + "normalisation", "take a multiple of \(DetectorTower.groups)")
        }
        let ends = model.sizeRanges.ends.count, levels = model.levels.numbers.count
        if ends != levels - 1 {
            add(
                "detection.sizeRanges",
                "detection.sizeRanges \(model.sizeRanges.yaml) has \(ends) ends for \(levels) levels",
                "give \(levels - 1), one between each level and the next")
        }
        if views.minimumSize > views.maximumSize {
            add(
                "data.minimumSize",
                "data.minimumSize \(views.minimumSize) is above data.imageSize \(views.maximumSize)",
                "lower data.minimumSize, or raise data.imageSize")
        }
        if views.longestSide < views.maximumSize {
            add(
                "data.longestSide",
                "data.longestSide \(views.longestSide) is below data.imageSize \(views.maximumSize)",
                "raise data.longestSide, or lower data.imageSize")
        }
        if data.format != .voc {
            let missing = [
                data.annotations == nil ? "data.annotations" : nil,
                validation.map { $0.annotations == nil } == true ? "evaluation.validation.annotations" : nil,
            ]
            let kind = data.format == .coco ? "the JSON file" : "the folder of texts"
            for key in missing.compactMap({ $0 }) {
                add(key, "\(key) is not set, which data.format \(data.format.rawValue) needs", "name \(kind)")
            }
        }
        return problems
    }

    /// With as many classes as COCO has: the annotations are not known yet.
    package var parameterCount: Int { Detector(model, seed: nil).trained.reduce(0) { $0 + $1.value.count } }

    /// Of the backbone the outputs of all convolutions and normalisations; of each cell of each level the pyramid's maps,
    /// those of both towers before their normalisation, and the predictions; half as much again for gradients on their way.
    package var activationBytesPerImage: Int {
        let pixels = views.maximumSize * views.longestSide
        let cells = model.levels.numbers.reduce(0) { $0 + pixels >> (2 * $1) }
        let head = 3 * model.channels + 2 * model.towerDepth * model.channels + 3 * (model.classes + 5)
        return model.architecture.activationBytes(pixels: pixels) + 4 * cells * head * 3 / 2
    }
}
