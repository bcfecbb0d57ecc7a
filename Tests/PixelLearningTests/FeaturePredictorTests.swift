import ImagePipeline
import Learning
import NeuralNetwork
import PixelLearning
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Pictures of what a backbone sees.
@Suite struct FeaturePredictorTests {
    private static let side = 40

    private func picture() throws -> PredictedPicture {
        let bytes = (0..<Self.side * Self.side * 3).map { UInt8($0 * 7 % 251) }
        return PredictedPicture(
            name: "picture.png", bytes: try encodePNG(rgb: bytes, width: Self.side, height: Self.side))
    }

    @Test func picturesOfFeaturesAreOfThePicturesSize() throws {
        let predictor = FeaturePredictor(.tiny, .none, PredictionOptions())
        for parameter in predictor.states[0].parameters { parameter.value.fill(0.1) }
        let files = try predictor.predict(try picture()).files
        #expect(files.map(\.ending) == [".features.png", ".similarity.png"])
        for file in files {
            let size = try ImageDecoder.size(of: file.bytes)
            #expect(size.width == Self.side && size.height == Self.side)
        }
    }

    /// A network that has diverged makes a message, no picture and no trap.
    @Test func featuresThatAreNoNumbersAreAnError() throws {
        let predictor = FeaturePredictor(.tiny, .none, PredictionOptions()), picture = try picture()
        for parameter in predictor.states[0].parameters { parameter.value.fill(.nan) }
        let error = #expect(throws: ImageError.self) { try predictor.predict(picture) }
        #expect(error!.reason.contains("features are not finite numbers"), "\(error!)")
    }
}
