import ImagePipeline
import NeuralNetwork
import TensorCore

/// The class of each pixel of whole pictures, at their own resolution.
struct PictureSegmentation {
    let segmenter: Segmenter
    private let windows: WindowPlan
    private let convolutions = Convolutions()

    init(_ segmenter: Segmenter, _ evaluation: SegmentationSettings.Evaluation) {
        self.segmenter = segmenter
        windows = WindowPlan(scale: evaluation.scale, side: evaluation.window, step: evaluation.windowStep)
    }

    /// Row by row; the lowest of equally likely classes.
    func classes(_ bytes: [UInt8], height: Int, width: Int) throws -> [UInt8] {
        let renderer = RegionRenderer(), sums = LogitSums(height: height, width: width, classes: segmenter.classes)
        for region in windows.regions(height: height, width: width) {
            let size = windows.size(of: region)
            let image = try renderer.render(bytes, region, height: size.height, width: size.width)
            let logits = try segmenter(
                image.reshaped([1, size.height, size.width, 3]),
                Pass(mode: .evaluation, convolutions: convolutions)
            ).logits.value
            sums.add(logits, region)
        }
        return sums.classes
    }
}
