import Glibc
import NeuralNetwork
import TensorCore
import TestSupport

private func groupNormalization(rectify: Bool, channels: Int, groups: Int) -> OperationCase {
    OperationCase(
        description: "group normalisation in \(groups) groups\(rectify ? " and rectifier" : "")",
        inputShape: [3, 3, 5, channels], tolerance: rectify ? 3e-2 : 5e-3
    ) { state in
        let layer = GroupNormalization(Scope(state), channels: channels, groups: groups)
        layer.scale.value.copy(from: randomTensor([channels], key: 11))
        layer.shift.value.copy(from: randomTensor([channels], key: 12))
        return { layer($0, rectify: rectify, $1) }
    } twin: { x, parameters in
        let width = channels / groups
        return x.numbers.indices.map { (place: Int) -> Double in
            let c = place % channels, image = place / (15 * channels)
            let first = c / width * width
            let group = (0..<15).flatMap { (pixel: Int) -> ArraySlice<Double> in
                let at = (image * 15 + pixel) * channels + first
                return x.numbers[at..<at + width]
            }
            let mean = group.reduce(0, +) / Double(group.count)
            let variance = group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(group.count)
            let value =
                (x.numbers[place] - mean) / (variance + 1e-5).squareRoot() * parameters[0][c] + parameters[1][c]
            return rectify ? max(value, 0) : value
        }
    }
}

private func enlargement(_ shape: [Int], height: Int, width: Int) -> OperationCase {
    OperationCase(description: "\(shape[1]) × \(shape[2]) to \(height) × \(width)", inputShape: shape) { _ in
        { enlarge($0, height: height, width: width, $1) }
    } twin: { x, _ in
        (0..<shape[0] * height * width * shape[3]).map { (place: Int) -> Double in
            let c = place % shape[3], column = place / shape[3] % width, row = place / (shape[3] * width) % height
            let image = place / (shape[3] * width * height)
            let from = (image * shape[1] + row * shape[1] / height) * shape[2] + column * shape[2] / width
            return x.numbers[from * shape[3] + c]
        }
    }
}

/// What pyramids and heads are made of.
let denseOperations: [OperationCase] = [
    groupNormalization(rectify: false, channels: 6, groups: 3),
    groupNormalization(rectify: true, channels: 10, groups: 5),
    groupNormalization(rectify: true, channels: 64, groups: 32),
    enlargement([2, 4, 3, 5], height: 7, width: 3),
    enlargement([1, 3, 2, 16], height: 6, width: 5),
    enlargement([2, 3, 3, 9], height: 3, width: 3),
    .init(description: "learned scale", inputShape: [2, 3, 2, 4], takesBFloat16: false) { state in
        let layer = LearnedScale(Scope(state))
        layer.scale.value.fill(0.7)
        return { layer($0, $1) }
    } twin: { x, parameters in
        x.numbers.map { $0 * parameters[0][0] }
    },
]

private func softplus(_ x: Double) -> Double { log1p(exp(x)) }

private let classes: [Int?] = [nil, 2, 0, nil, 3, 1]
private let weights = [0.3, 0, 1.5, 0.7, 0, 0.2], scales = [1.0, 2, 4, 8, 1, 3]
private let targets: [Float] = [0.2, 0.9, 1, 0.5, 0, 0.1]
/// Smaller, larger, beside, with sides in common.
private let distances: [Float] = [1, 1, 1, 1, 4, 4, 4, 4, 0.5, 6, 5, 0.2, 2, 3, 0.4, 2, 1, 2, 3, 4, 3, 0.1, 0.2, 5]

private func boxLoss(_ name: String, _ convention: GIoUConvention, _ extra: (i: Double, u: Double, c: Double))
    -> OperationCase
{
    OperationCase(description: "GIoU of \(name)", inputShape: [6, 4], tolerance: 3e-2, takesBFloat16: false) { _ in
        { x, pass in
            let positive = Tensor([6, 4])
            positive.fill(4)
            return giouLoss(
                add(x, Variable(positive), pass), target: Tensor([6, 4], distances), weights: weights, scales: scales,
                convention: convention, pass
            ).variable
        }
    } twin: { x, _ in
        [(0..<6).reduce(0.0) { $0 + weights[$1] * plainLoss(x.rows[$1], row: $1, extra) }]
    }
}

/// By the corners of the two boxes.
private func plainLoss(_ x: [Double], row: Int, _ extra: (i: Double, u: Double, c: Double)) -> Double {
    func corners(_ side: [Double]) -> [Double] { [-side[0], -side[1], side[2], side[3]].map { scales[row] * $0 } }
    func area(_ box: [Double]) -> Double { (box[2] - box[0]) * (box[3] - box[1]) }
    let a = corners(x.map { $0 + 4 }), b = corners(distances[4 * row..<4 * row + 4].map { Double($0) })
    let inner = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    let hull = area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
    let union = area(a) + area(b) - inner
    let giou = (inner + extra.i) / (union + extra.u) - (hull - union) / (hull + extra.c)
    return 1 - giou
}

private let labels = LabelBatch(ids: (0..<2 * 7 * 5).map(label(of:)), height: 7, width: 5, ignored: 255)

private func label(of pixel: Int) -> UInt8 { pixel % 11 == 3 ? 255 : UInt8(pixel * pixel % 3) }

/// A pixel of 7 × 5 of a map of 3 × 2 cells.
private func interpolated(_ x: Grid, _ image: Int, _ row: Int, _ column: Int, _ channel: Int) -> Double {
    func places(_ at: Int, _ size: Int, _ cells: Int) -> [(cell: Int, share: Double)] {
        let position = max((Double(at) + 0.5) * Double(cells) / Double(size) - 0.5, 0), low = Int(position)
        let rest = position - Double(low)
        return [(low, 1 - rest), (min(low + 1, cells - 1), rest)]
    }
    var value = 0.0
    for y in places(row, 7, 3) {
        for beside in places(column, 5, 2) {
            value += y.share * beside.share * x.numbers[((image * 3 + y.cell) * 2 + beside.cell) * 3 + channel]
        }
    }
    return value
}

/// Losses on float32; each is a sum over rows.
let losses: [OperationCase] = [
    .init(description: "focal loss", inputShape: [6, 4], takesBFloat16: false) { _ in
        { focalLoss($0, classes: classes, weight: 0.5, $1).variable }
    } twin: { x, _ in
        var loss = 0.0
        for (point, row) in x.rows.enumerated() {
            for (k, logit) in row.enumerated() {
                let p = 1 / (1 + exp(-logit))
                if classes[point] == k {
                    loss += 0.25 * (1 - p) * (1 - p) * softplus(-logit)
                } else {
                    loss += 0.75 * p * p * softplus(logit)
                }
            }
        }
        return [0.5 * loss]
    },
    boxLoss("FCOS", .fcos, (1, 1, 0)),
    boxLoss("torchvision", .torchvision, (0, 1e-7, 1e-7)),
    .init(description: "binary cross-entropy", inputShape: [6, 1], takesBFloat16: false) { _ in
        { binaryCrossEntropy($0, targets: targets, weights: weights, $1).variable }
    } twin: { x, _ in
        var loss = 0.0
        for row in 0..<6 {
            let p = 1 / (1 + exp(-x.numbers[row])), target = Double(targets[row])
            loss -= weights[row] * (target * log(p) + (1 - target) * log(1 - p))
        }
        return [loss]
    },
    .init(description: "cross-entropy of upsampled logits", inputShape: [2, 3, 2, 3], takesBFloat16: false) { _ in
        { upsampledCrossEntropy($0, labels: labels, weight: 0.1, $1).variable }
    } twin: { x, _ in
        var loss = 0.0
        for (place, id) in labels.ids.enumerated() where id != 255 {
            let logits = (0..<3).map { interpolated(x, place / 35, place / 5 % 7, place % 5, $0) }
            let sum = logits.reduce(0.0) { $0 + exp($1) }
            loss += log(sum) - logits[Int(id)]
        }
        return [0.1 * loss]
    },
]
