package import NeuralNetwork
package import Settings
package import SystemPackage

extension ResNetArchitecture: ChoiceValue {
    package static var choices: [ResNetArchitecture] { published }
}

/// Keys that every task with a backbone has.
extension Setting {
    /// `model.architecture`.
    package static func architecture(
        _ keyPath: any WritableKeyPath<Root, ResNetArchitecture> & Sendable
    ) -> Setting {
        Setting(
            "model.architecture", keyPath, onResume: .mustMatch, synonyms: ["arch", "backbone", "encoder", "model"],
            "The backbone.")
    }

    /// `model.start`.
    package static func startingWeights(_ keyPath: any WritableKeyPath<Root, FilePath?> & Sendable) -> Setting {
        Setting(
            "model.start", keyPath, onResume: .free,
            synonyms: ["weights", "pretrained", "checkpoint", "initialWeights", "loadFrom"],
            "File of weights to begin with, not to resume: of this program, torchvision or PixPro (safetensors, .pth).")
    }
}
