import Evaluation
import ImagePipeline
package import Learning
package import NeuralNetwork
import TensorCore

/// What a pretrained backbone sees in a picture: the first three principal components of its features as colours, and how
/// alike the features of each place are to those of a marked one.
package final class FeaturePredictor: TaskPredictor {
    private let state = ModelState(seed: nil)
    private let encoder: ResNet
    private let mark: (x: Double, y: Double)
    private let convolutions = Convolutions()

    /// Of the image that the backbone sees: enough cells to see something, unless the long side would be too long.
    private static let shortSide = 448.0
    private static let longestSide = 1792.0

    package init(_ settings: PretrainingSettings, _ options: PredictionOptions) {
        encoder = ResNet(settings.model.architecture, Scope(state).child("encoder"))
        mark = options.mark
    }

    package var states: [ModelState] { [state] }

    package func predict(_ predicted: PredictedPicture) throws -> Prediction {
        let bytes = predicted.bytes
        let (width, height) = try ImageDecoder.size(of: bytes)
        let scale = min(
            Self.shortSide / Double(min(width, height)), Self.longestSide / Double(max(width, height)))
        let image = try EvaluationTransform.plainView(
            bytes, height: max(Int(Double(height) * scale), 1), width: max(Int(Double(width) * scale), 1))
        let features = try encoder(
            Variable(image.reshaped([1] + image.shape)), Pass(mode: .evaluation, convolutions: convolutions)
        ).value
        let (rows, columns, channels) = (features.shape[1], features.shape[2], features.shape[3])
        let cells = features.reshaped([rows * columns, channels])
        let unit = normalizeRows(Variable(cells), Pass(mode: .evaluation)).value
        func png(_ map: [[Double]]) throws -> [UInt8] {
            let values = (0..<rows * columns).flatMap { cell in map.map { Float($0[cell]) } }
            return try picture(Tensor([rows * columns, map.count], values), rows, columns, height, width)
        }
        let similarity = similarity(unit, rows, columns)
        return Prediction(files: [
            (".features.png", try png(PrincipalComponents.scaled(unit, count: 3))),
            (".similarity.png", try png([similarity])),
        ])
    }

    /// The cosine of each cell's features and the marked one's, from −1…1 to 0…1.
    private func similarity(_ unit: Tensor, _ rows: Int, _ columns: Int) -> [Double] {
        let row = min(Int(mark.y * Double(rows)), rows - 1), column = min(Int(mark.x * Double(columns)), columns - 1)
        let channels = unit.shape[1], values = unit.floats, first = (row * columns + column) * channels
        return (0..<rows * columns).map { cell in
            let cosine = (0..<channels).reduce(0.0) {
                $0 + Double(values[cell * channels + $1]) * Double(values[first + $1])
            }
            return (1 + min(max(cosine, -1), 1)) / 2
        }
    }

    /// A map [cells, 1 or 3] of 0…1 as a PNG of the picture's size.
    private func picture(_ map: Tensor, _ rows: Int, _ columns: Int, _ height: Int, _ width: Int) throws -> [UInt8] {
        let channels = map.shape[1]
        let pixels = BilinearUpsampling(mapRows: rows, mapColumns: columns, height: height, width: width)(map)
        let values = pixels.floats
        var bytes = [UInt8](repeating: 0, count: height * width * channels)
        for y in 0..<height {
            for x in 0..<width {
                for c in 0..<channels {
                    let value = values[(y * channels + c) * width + x]
                    bytes[(y * width + x) * channels + c] = UInt8(min(max(value, 0), 1) * 255 + 0.5)
                }
            }
        }
        return channels == 1
            ? try encodePNG(gray: bytes, width: width, height: height)
            : try encodePNG(rgb: bytes, width: width, height: height)
    }
}
