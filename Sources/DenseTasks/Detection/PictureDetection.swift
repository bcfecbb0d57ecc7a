import ImagePipeline
import Learning
import NeuralNetwork
import TensorCore

/// The objects in whole pictures, in their own pixels.
struct PictureDetection {
    let detector: Detector
    private let views: DetectionViews
    private let normalization: PixelNormalization
    private let rule: DetectionRule
    private let convolutions = Convolutions()

    init(_ detector: Detector, _ settings: DetectionSettings) {
        (self.detector, views, rule) = (detector, settings.views, settings.rule)
        normalization = settings.pixels.normalization
    }

    /// A picture as it is looked at: at the largest size of training.
    func load(_ bytes: [UInt8], height: Int, width: Int) throws -> Tensor {
        let whole = PixelRegion(x: 0, y: 0, width: width, height: height)
        let size = views.size(of: whole, shortSide: views.maximumSize)
        return try RegionRenderer().render(bytes, whole, height: size.height, width: size.width, normalization)
    }

    /// What is found in an image that was loaded of a picture of this size, the surest first. Throws an `ImageError` where the
    /// network makes no numbers of it.
    func objects(_ image: Tensor, height: Int, width: Int) throws -> [FoundObject] {
        let batch = DetectionBatch(count: 1, sideMultiple: DetectorLevels.sideMultiple)
        batch.images[0] = image
        let (rows, columns) = batch.largest
        let maps = try detector(
            batch.padded(height: rows, width: columns), Pass(mode: .evaluation, convolutions: convolutions))
        for level in maps.levels {
            guard [level.logits, level.distances, level.centerness].allSatisfy({ $0.value.isFinite }) else {
                throw ImageError(notFinite: "maps")
            }
        }
        let scaleX = Double(width) / Double(columns), scaleY = Double(height) / Double(rows)
        return detector.detections(maps, sizes: [(rows, columns)], rule)[0].map { object in
            let box = object.box
            return FoundObject(
                box: Box(
                    x: box.x * scaleX, y: box.y * scaleY, width: box.width * scaleX, height: box.height * scaleY),
                score: object.score, category: object.category, point: object.point)
        }
    }
}
