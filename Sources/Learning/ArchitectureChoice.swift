package import NeuralNetwork
import Settings

extension ResNetArchitecture: ChoiceValue {
    package static var choices: [ResNetArchitecture] { published }
}
