import Glibc
package import TensorCore

/// The focal loss of classes against background (Lin et al. 2017), α = 0.25 and γ = 2:
/// weight · Σ α_t (1 − p_t)² (−log p_t) over all points and classes, p being the logits' sigmoid.
///
/// logits [P, K] are float32; `classes` has the class of each point, nil for background. Backward is seeded with 1.
package func focalLoss(
    _ logits: Variable, classes: [Int?], weight: Double, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let (points, count) = (logits.value.shape[0], logits.value.shape[1])
    precondition(classes.count == points, "\(classes.count) classes for logits \(logits.value.shape)")
    return weightedRows(logits, columns: count, pass) { point, x, dx in
        var loss = 0.0
        for k in 0..<count {
            let isClass = classes[point] == k, share = weight * (isClass ? focalAlpha : 1 - focalAlpha)
            // Of a background class the mirror image: the same loss of −x.
            let logit = Double(isClass ? x[k] : -x[k]), tail = exp(-abs(logit))
            let right = (logit >= 0 ? 1 : tail) / (1 + tail), wrong = 1 - right
            let logarithm = max(-logit, 0) + log1p(tail)
            loss += share * wrong * wrong * logarithm
            let slope = share * wrong * wrong * (-2 * right * logarithm - wrong)
            dx[k] = Float(isClass ? slope : -slope)
        }
        return loss
    }
}

private let focalAlpha = 0.25

/// How two boxes about one point are compared.
package struct GIoUConvention: Sendable, Equatable {
    /// What is added to the intersection, the union and the hull.
    let intersection, union, hull: Double

    /// The published FCOS: (I + 1) / (U + 1), which softens small boxes.
    package static let fcos = GIoUConvention(intersection: 1, union: 1, hull: 0)
    package static let torchvision = GIoUConvention(intersection: 0, union: 1e-7, hull: 1e-7)
}

/// Σ w · (1 − GIoU) of boxes given by their distances (l, t, r, b) from the same points (Rezatofighi et al. 2019).
///
/// predicted [P, 4] is float32 and gets the gradient, target [P, 4] is constant; both are multiplied by `scales` [P]
/// first. Rows of weight 0 are not looked at. Backward is seeded with 1.
package func giouLoss(
    _ predicted: Variable, target: Tensor, weights: [Double], scales: [Double], convention: GIoUConvention, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    precondition(
        predicted.value.shape == target.shape && weights.count == target.shape[0] && scales.count == weights.count,
        "distances \(predicted.value.shape) against \(target.shape), \(weights.count) weights, \(scales.count) scales")
    let goals = target.floats
    return weightedRows(predicted, columns: 4, pass) { row, x, dx in
        guard weights[row] != 0 else { return 0 }
        let scale = scales[row]
        let d = SIMD4((0..<4).map { scale * Double(x[$0]) })
        let g = SIMD4((0..<4).map { scale * Double(goals[4 * row + $0]) })
        let (loss, slope) = giou(d, g, convention)
        for side in 0..<4 { dx[side] = Float(weights[row] * scale * slope[side]) }
        return weights[row] * loss
    }
}

/// 1 − GIoU of two boxes about a point, and its gradient for the first.
private func giou(
    _ d: SIMD4<Double>, _ g: SIMD4<Double>, _ convention: GIoUConvention
) -> (loss: Double, slope: SIMD4<Double>) {
    // Sides are l, t, r, b: the width is l + r, the height t + b.
    func size(_ v: SIMD4<Double>) -> (width: Double, height: Double) { (v[0] + v[2], v[1] + v[3]) }
    func area(_ v: SIMD4<Double>) -> Double { size(v).width * size(v).height }
    /// dA/d(side) of a box of this size.
    func slopes(_ v: SIMD4<Double>) -> SIMD4<Double> {
        let (width, height) = size(v)
        return SIMD4(height, width, height, width)
    }
    let inner = pointwiseMin(d, g), outer = pointwiseMax(d, g)
    // The derivative of a minimum: one where d is the smaller, half of it where both are.
    let smaller = SIMD4((0..<4).map { d[$0] < g[$0] ? 1.0 : d[$0] == g[$0] ? 0.5 : 0 })
    let intersection = area(inner), hull = area(outer), union = area(d) + area(g) - intersection
    let dIntersection = smaller * slopes(inner), dHull = (1 - smaller) * slopes(outer)
    let dUnion = slopes(d) - dIntersection
    let i = intersection + convention.intersection, u = union + convention.union, c = hull + convention.hull
    let dRatio = (dIntersection * u - dUnion * i) / (u * u)
    let dSpare = ((dHull - dUnion) * c - dHull * (hull - union)) / (c * c)
    return (1 - i / u + (hull - union) / c, dSpare - dRatio)
}

/// Σ w · (−t log p − (1 − t) log(1 − p)) of soft targets t, p being the logits' sigmoid: FCOS's loss of centerness.
///
/// logits [P] or [P, 1] are float32. Backward is seeded with 1.
package func binaryCrossEntropy(
    _ logits: Variable, targets: [Float], weights: [Double], _ pass: Pass
) -> (loss: Double, variable: Variable) {
    precondition(
        logits.value.count == targets.count && weights.count == targets.count,
        "\(targets.count) targets and \(weights.count) weights for logits \(logits.value.shape)")
    return weightedRows(logits, columns: 1, pass) { row, x, dx in
        let logit = Double(x[0]), target = Double(targets[row]), tail = exp(-abs(logit))
        dx[0] = Float(weights[row] * ((logit >= 0 ? 1 : tail) / (1 + tail) - target))
        return weights[row] * (max(logit, 0) - logit * target + log1p(tail))
    }
}

/// A loss that is a sum over rows of x: `row` writes a row's gradient, zero before, and returns its part of the loss.
private func weightedRows(
    _ x: Variable, columns: Int, _ pass: Pass,
    _ row: (_ row: Int, _ x: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>) -> Double
) -> (loss: Double, variable: Variable) {
    let gradient = Tensor.zeros(x.value.shape), rows = x.value.count / columns, losses = Accumulators(rows)
    let values = x.value.pointer, slopes = gradient.pointer
    parallelFor(rows) { _, part in
        for at in part { losses[at] = row(at, values + at * columns, slopes + at * columns) }
    }
    // In order, so that the sum does not depend on the number of threads.
    let loss = losses.values.reduce(0, +)
    let result = pass.output(Tensor([1], [Float(loss)]), of: [x]) { seed in
        gradient.scaleInPlace(seed.floats[0])
        x.receive(gradient)
    }
    return (loss, result)
}
