package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// The pixel contrast of one direction, from view to view (PixPro, Eq. 2).
///
/// Σ_n w · mean_i −log(Σ_{j ∈ pos(i)} e^(⟨q_i, k_j⟩/τ) / Σ_j e^(⟨q_i, k_j⟩/τ)) over the cells i of image n that have a
/// positive, w being the weight of an image (1 / the images of a step, so that ranks' losses and gradients sum to the
/// whole batch's). All other cells of the same image's other view are negatives.
///
/// query [N, H, W, C] holds unit pixels and gets the gradient; key [N, H, W, C] is constant. Backward is seeded with 1.
package func contrastLoss(
    query: Variable, key: Tensor, positives: PositivePairs, imageWeight: Double, temperature: Double, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let shape = query.value.shape
    precondition(shape == key.shape, "query \(shape) against key \(key.shape)")
    let (images, pixels) = (shape[0], shape[1] * shape[2])
    let mask = positives.mask.floats
    var weights: [Double] = []
    for image in 0..<images {
        let matched = (0..<pixels).map { cell in
            let row = (image * pixels + cell) * pixels
            return mask[row..<row + pixels].contains { $0 > 0 }
        }
        let cells = matched.count { $0 }
        weights += matched.map { $0 ? imageWeight / Double(cells) : 0 }
    }
    return contrast(
        query: query, key: key, rows: [images, pixels, shape[3]], mask: positives.mask, weights: weights,
        temperature: temperature, pass)
}

/// Rows of a query against rows of a key, block by block: `rows` is [blocks, rows of the query, C].
func contrast(
    query: Variable, key: Tensor, rows: [Int], mask: Tensor, weights: [Double], temperature: Double, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let keys = key.reshaped([rows[0], key.count / (rows[0] * rows[2]), rows[2]])
    let slopes = Tensor([rows[0], rows[1], keys.shape[1]])
    slopes.product(query.value.reshaped(rows), keys, transposeB: true)
    let loss = slopes.contrastRows(mask: mask, weights: weights, temperature: temperature)
    let result = pass.output(Tensor([1], [Float(loss)]), of: [query]) { seed in
        let gradient = Tensor(rows)
        gradient.product(slopes, keys)
        gradient.scaleInPlace(seed.floats[0])
        query.receive(gradient)
    }
    return (loss, result)
}
