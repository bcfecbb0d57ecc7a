package import NeuralNetwork
package import TensorCore

/// weight · Σ scores, of [N, 1]: means of what critics say.
package func scoreSum(_ scores: Variable, weight: Double, _ pass: Pass) -> (loss: Double, variable: Variable) {
    let loss = weight * scores.value.floats.reduce(0.0) { $0 + Double($1) }
    let variable = pass.output(Tensor([1], [Float(loss)]), of: [scores]) { seed in
        let gradient = Tensor(scores.value.shape)
        gradient.fill(Float(weight) * seed.floats[0])
        scores.receive(gradient)
    }
    return (loss, variable)
}

/// weight · Σ over pictures of (‖gradient ⊙ mask‖ − 1)², the norm being √(Σ (gradient · mask)² + 10⁻¹²).
///
/// The penalty of Gulrajani et al. 2017 within holes, and the norms: gradient [N, H, W, 3] of float32, masks [N, H, W, 1].
package func slopePenalty(
    _ gradient: Variable, masks: Tensor, weight: Double, _ pass: Pass
) -> (loss: Double, norms: [Double], variable: Variable) {
    let masked = gradient.value.copy(), images = masked.shape[0]
    masked.multiplyPixels(by: masks)
    let norms = (0..<images).map { (masked.rows($0..<$0 + 1).sumOfSquares + penaltyEpsilon).squareRoot() }
    let loss = weight * norms.reduce(0) { $0 + ($1 - 1) * ($1 - 1) }
    let variable = pass.output(Tensor([1], [Float(loss)]), of: [gradient]) { seed in
        for (image, norm) in norms.enumerated() {
            masked.rows(image..<image + 1).scaleInPlace(
                Float(2 * weight * (norm - 1) / norm * Double(seed.floats[0])))
        }
        masked.multiplyPixels(by: masks)
        gradient.receive(masked)
    }
    return (loss, norms, variable)
}

/// Keeps the slope of the norm finite where the gradient is zero.
private let penaltyEpsilon = 1e-12

/// Pictures between real and completed ones: real + t · (completed − real), a t for each picture.
package func interpolate(_ real: Tensor, _ completed: Tensor, _ t: [Float]) -> Tensor {
    let result = Tensor(real.shape), pixels = real.count / t.count
    precondition(
        real.shape == completed.shape && real.shape[0] == t.count,
        "\(t.count) places between \(real.shape) and \(completed.shape)")
    let (a, b, y) = (real.floats, completed.floats, result.floats)
    parallelFor(result.count) { _, range in
        for i in range { y[i] = a[i] + t[i / pixels] * (b[i] - a[i]) }
    }
    return result
}
