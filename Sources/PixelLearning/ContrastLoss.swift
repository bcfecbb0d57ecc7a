package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// The pixel contrast of one direction, from view to view (PixPro, Eq. 2).
///
/// Σ_n w · mean_i −log(Σ_{j ∈ pos(i)} e^(⟨q_i, k_j⟩/τ) / Σ_j e^(⟨q_i, k_j⟩/τ)) over the cells i of image n that have a
/// positive, w being the weight of an image (1 / the images of a step, so that ranks' losses and gradients sum to the
/// whole batch's). All other cells of the same image's other view are negatives. A block of cosines is held at a time.
///
/// query [N, H, W, C] holds unit pixels and gets the gradient; key [N, H, W, C] is constant. Backward is seeded with 1.
package func contrastLoss(
    query: Variable, key: Tensor, positives: PositivePairs, imageWeight: Double, temperature: Double, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let shape = query.value.shape
    precondition(shape == key.shape, "query \(shape) against key \(key.shape)")
    let (images, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3])
    let rows = query.value.reshaped([images * pixels, channels]), keys = key.reshaped(rows.shape)
    let gradient = Tensor(rows.shape)
    var loss = 0.0
    for image in 0..<images {
        let matched = (0..<pixels).map { !positives.matches(image: image, cell: $0).isEmpty }
        let weight = imageWeight / Double(max(matched.count { $0 }, 1)), first = image * pixels
        for start in stride(from: 0, to: pixels, by: SimilarityPropagation.blockRows) {
            let cells = start..<min(start + SimilarityPropagation.blockRows, pixels)
            let block = first + cells.lowerBound..<first + cells.upperBound
            loss += contrast(
                rows.rows(block), keys.rows(first..<first + pixels), mask: positives.mask(image: image, cells: cells),
                weights: matched[cells].map { $0 ? weight : 0 }, temperature: temperature, into: gradient.rows(block))
        }
    }
    return (loss, weighted(loss, query, gradient, pass))
}

/// Rows of queries [Q, C] against keys [K, C]: the loss of those rows, and its gradient for them.
func contrast(
    _ queries: Tensor, _ keys: Tensor, mask: Tensor, weights: [Double], temperature: Double, into gradient: Tensor
) -> Double {
    let slopes = Tensor([queries.shape[0], keys.shape[0]])
    slopes.product(queries, keys, transposeB: true)
    let loss = slopes.contrastRows(mask: mask, weights: weights, temperature: temperature)
    gradient.product(slopes, keys)
    return loss
}

/// A loss whose gradient for `x` is known already.
func weighted(_ loss: Double, _ x: Variable, _ gradient: Tensor, _ pass: Pass) -> Variable {
    pass.output(Tensor([1], [Float(loss)]), of: [x]) { seed in
        gradient.scaleInPlace(seed.floats[0])
        x.receive(gradient)
    }
}
