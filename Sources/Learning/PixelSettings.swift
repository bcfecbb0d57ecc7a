package import ImagePipeline
package import Settings
package import Yams

/// What is taken from pixels in 0…1, and what the rest is divided by, as a user says it.
package struct PixelSettings: Sendable, Equatable {
    package var mean = ChannelValues.imageNet
    package var deviation = ChannelValues.imageNet

    package init() {}

    package init(_ normalization: PixelNormalization) {
        mean = .numbers(SIMD3<Double>(normalization.mean))
        deviation = .numbers(SIMD3<Double>(normalization.deviation))
    }

    /// Whether pictures decide, so that numbers are known once they have been looked at.
    package var isMeasured: Bool { [mean, deviation].contains(.measured) }

    /// The numbers; what is measured must have been resolved.
    package var normalization: PixelNormalization {
        func numbers(_ values: ChannelValues, _ usual: SIMD3<Float>) -> SIMD3<Float> {
            switch values {
            case .imageNet: return usual
            case .numbers(let numbers): return SIMD3<Float>(numbers)
            case .measured: preconditionFailure("the statistics of the pictures are not known yet")
            }
        }
        let usual = PixelNormalization.imageNet
        return PixelNormalization(mean: numbers(mean, usual.mean), deviation: numbers(deviation, usual.deviation))
    }

    /// With numbers for what is measured, from the facts of a checkpoint or of pictures that were looked at.
    ///
    /// - Throws: `PixelStatisticsError` where the facts do not have them.
    package func resolved(_ facts: [String: String]) throws -> PixelSettings {
        guard isMeasured else { return self }
        guard let measured = PixelNormalization(facts) else {
            throw PixelStatisticsError(
                "data.mean or data.deviation is measured, but the checkpoint does not say what was: set them to three "
                    + "numbers each")
        }
        var result = self, numbers = PixelSettings(measured)
        if mean != .measured { numbers.mean = mean }
        if deviation != .measured { numbers.deviation = deviation }
        (result.mean, result.deviation) = (numbers.mean, numbers.deviation)
        return result
    }
}

/// A number for each of red, green and blue.
package enum ChannelValues: Sendable, Equatable {
    /// ImageNet's, as published backbones are trained with.
    case imageNet
    /// Of a sample of the pictures, when a run begins.
    case measured
    case numbers(SIMD3<Double>)
}

extension ChannelValues: SettingValue {
    package static var expectation: String { "imagenet, measured or a list of three numbers from 0 to 1" }

    package init?(yaml node: Node) {
        switch node {
        case .scalar where node.plainText == "imagenet": self = .imageNet
        case .scalar where node.plainText == "measured": self = .measured
        case .sequence(let sequence):
            let numbers = sequence.compactMap { Double(yaml: $0) }
            guard sequence.count == 3, numbers.count == 3, numbers.allSatisfy({ (0...1).contains($0) }) else {
                return nil
            }
            self = .numbers(SIMD3(numbers))
        default: return nil
        }
    }

    package var yaml: String {
        switch self {
        case .imageNet: "imagenet"
        case .measured: "measured"
        case .numbers(let numbers): "[\(numbers.x.yaml), \(numbers.y.yaml), \(numbers.z.yaml)]"
        }
    }

    package static func remedy(for node: Node) -> String? {
        guard case .sequence(let sequence) = node, sequence.contains(where: { Double(yaml: $0) ?? 0 > 1 }) else {
            return nil
        }
        return "divide numbers that are of pixels in 0…255 by 255"
    }
}

extension ValueRange where Value == ChannelValues {
    /// What can be divided by.
    fileprivate static var positive: Self {
        Self(text: "and not 0") { if case .numbers(let numbers) = $0 { numbers.min() > 0 } else { true } }
    }
}

/// Keys that every task has that sees pixels as backbones do.
extension Setting {
    /// `data.mean` and `data.deviation`.
    package static func pixels(
        _ mean: any WritableKeyPath<Root, ChannelValues> & Sendable,
        _ deviation: any WritableKeyPath<Root, ChannelValues> & Sendable
    ) -> [Setting] {
        [
            Setting(
                "data.mean", mean, onResume: .mustMatch, synonyms: ["normalize", "pixelMean", "imageMean"],
                "Taken from pixels in 0…1: ImageNet's mean, three numbers, or that of a sample of the pictures."),
            Setting(
                "data.deviation", deviation, in: .positive, onResume: .mustMatch,
                synonyms: ["std", "pixelStd", "imageStd"],
                "What is left is divided by it: ImageNet's deviation, three numbers, or that of a sample of the pictures."
            ),
        ]
    }
}

extension PixelNormalization {
    /// As checkpoints and exports say it.
    package var facts: [String: String] {
        func listed(_ values: SIMD3<Float>) -> String { "\(values.x),\(values.y),\(values.z)" }
        return ["mean": listed(mean), "std": listed(deviation)]
    }

    /// Nil where they do not say it.
    package init?(_ facts: [String: String]) {
        func numbers(_ name: String) -> SIMD3<Float>? {
            let values = (facts[name] ?? "").split(separator: ",").compactMap { Float($0) }
            return values.count == 3 && values.allSatisfy(\.isFinite) ? SIMD3(values) : nil
        }
        guard let mean = numbers("mean"), let deviation = numbers("std"), deviation.min() > 0 else { return nil }
        self.init(mean: mean, deviation: deviation)
    }
}
