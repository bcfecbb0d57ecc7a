import Evaluation
package import ImagePipeline
package import Learning
package import NeuralNetwork
import TensorCore

/// What a pretrained backbone sees in a picture: the first three principal components of its features as colours, and how
/// alike the features of each place are to those of a marked one.
package final class FeaturePredictor: TaskPredictor {
    private let state = ModelState(seed: nil)
    private let encoder: ResNet
    private let normalization: PixelNormalization
    private let mark: (x: Double, y: Double)
    private let convolutions = Convolutions()

    package init(
        _ architecture: ResNetArchitecture, _ normalization: PixelNormalization, _ options: PredictionOptions
    ) {
        encoder = ResNet(architecture, Scope(state).child("encoder"))
        (self.normalization, mark) = (normalization, options.mark)
    }

    package var states: [ModelState] { [state] }

    package func predict(_ picture: PredictedPicture) throws -> Prediction {
        let maps = try FeatureMaps(picture.bytes, normalization, encoder, convolutions)
        let basis = PrincipalComponents(fitting: maps.cells, count: 3)
        return Prediction(files: [
            (".features.png", try maps.png(maps.components(basis))),
            (".similarity.png", try maps.png([maps.similarity(to: mark)])),
        ])
    }
}
