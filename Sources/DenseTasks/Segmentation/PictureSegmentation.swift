import ImagePipeline
import Learning
import NeuralNetwork
import TensorCore

/// The class of each pixel of whole pictures, at their own resolution.
struct PictureSegmentation {
    let segmenter: Segmenter
    private let windows: WindowPlan
    private let normalization: PixelNormalization
    private let convolutions = Convolutions()

    init(_ segmenter: Segmenter, _ settings: SegmentationSettings) {
        let evaluation = settings.evaluation
        (self.segmenter, normalization) = (segmenter, settings.pixels.normalization)
        windows = WindowPlan(scale: evaluation.scale, side: evaluation.window, step: evaluation.windowStep)
    }

    /// Row by row; the lowest of equally likely classes.
    func classes(_ bytes: [UInt8], height: Int, width: Int) throws -> [UInt8] {
        let renderer = RegionRenderer(), sums = LogitSums(height: height, width: width, classes: segmenter.classes)
        for region in windows.regions(height: height, width: width) {
            let size = windows.size(of: region)
            let image = try renderer.render(bytes, region, height: size.height, width: size.width, normalization)
            let logits = try segmenter(
                image.reshaped([1, size.height, size.width, 3]),
                Pass(mode: .evaluation, convolutions: convolutions)
            ).logits.value
            guard logits.isFinite else { throw ImageError(notFinite: "logits") }
            sums.add(logits, region)
        }
        return sums.classes
    }
}
