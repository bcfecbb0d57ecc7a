import DenseTasks
import Glibc
import NeuralNetwork
import TensorCore

/// What a level of a detector says, cell by cell: FCOS's equations in plain loops.
enum DecodedLevel {
    /// [N, cells, 4], inside the images.
    static func boxes(
        _ output: Detector.LevelOutput, _ level: Int, _ images: Tensor, _ convention: DetectionConvention
    ) -> Tensor {
        let distances = output.distances.value, (n, h, w) = (distances.shape[0], distances.shape[1], distances.shape[2])
        let (height, width) = (images.shape[1], images.shape[2]), stride = Float(1 << level)
        var numbers: [Float] = []
        for cell in 0..<n * h * w {
            let column = cell % w, row = cell / w % h
            let (x, y) =
                convention == .fcos
                ? (Float(column) * stride + stride / 2, Float(row) * stride + stride / 2)
                : (Float(column * (width / w)), Float(row * (height / h)))
            let d = (0..<4).map { stride * distances.floats[4 * cell + $0] }
            let corners = [(x - d[0], width), (y - d[1], height), (x + d[2], width), (y + d[3], height)]
            numbers += corners.map { min(max($0, 0), Float($1)) }
        }
        return Tensor([n, h * w, 4], numbers)
    }

    /// [N, cells, classes].
    static func scores(_ output: Detector.LevelOutput) -> Tensor {
        let logits = output.logits.value, classes = logits.shape[3]
        let numbers = logits.array.enumerated().map { place, logit in
            (sigmoid(logit) * sigmoid(output.centerness.value.floats[place / classes])).squareRoot()
        }
        return Tensor([logits.shape[0], logits.shape[1] * logits.shape[2], classes], numbers)
    }

    /// [N, cells]: the likeliest.
    static func classes(_ output: Detector.LevelOutput) -> Tensor {
        let scores = scores(output), classes = scores.shape[2]
        let best = (0..<scores.count / classes).map { cell -> Float in
            Float(
                (0..<classes).reduce(0) {
                    scores.floats[cell * classes + $1] > scores.floats[cell * classes + $0] ? $1 : $0
                })
        }
        return Tensor([scores.shape[0], scores.shape[1]], best)
    }

    private static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
}
