import Drawing
import ImagePipeline
package import Learning
package import NeuralNetwork

/// What a segmenter sees in a picture: class ids as a PNG, and their colours laid over the picture.
package final class SegmentationPredictor: TaskPredictor {
    private let segmentation: PictureSegmentation

    package init(_ settings: SegmentationSettings, classes: Int) {
        segmentation = PictureSegmentation(
            Segmenter(settings.model, classes: classes, seed: nil), settings)
    }

    package var states: [ModelState] { [segmentation.segmenter.state] }

    package func predict(_ predicted: PredictedPicture) throws -> Prediction {
        let bytes = predicted.bytes
        let picture = try ImageDecoder.decode(bytes), (width, height) = (picture.width, picture.height)
        let ids = try segmentation.classes(bytes, height: height, width: width)
        var canvas = Canvas(width: width, height: height, pixels: picture.pixels)
        for y in 0..<height {
            for x in 0..<width { canvas.blend(VOC.color(of: ids[y * width + x]), x, y, opacity: 0.5) }
        }
        return Prediction(files: [
            (".labels.png", try encodePNG(gray: ids, width: width, height: height)),
            try canvas.preview(".overlay"),
        ])
    }
}
