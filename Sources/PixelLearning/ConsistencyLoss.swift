package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// The pixel-to-propagation consistency of one direction, from view to view (PixPro, Eq. 5).
///
/// −f · Σ_n w · [Σ_ij A_ij ⟨q_i, k_j⟩ / (Σ_ij A_ij + 1e-6)] with f the dialect's factor and w the weight of an image
/// (1 / the images of a step, so that ranks' losses and gradients sum to the whole batch's).
///
/// query [N, H, W, C] holds unit pixels and gets the gradient; key [N, H, W, C] is constant. Backward is seeded with 1.
package func consistencyLoss(
    query: Variable, key: Tensor, positives: PositivePairs, imageWeight: Double, dialect: Dialect, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let shape = query.value.shape
    precondition(shape == key.shape, "query \(shape) against key \(key.shape)")
    let (images, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3])
    // Σ_ij A_ij ⟨q_i, k_j⟩ = Σ_i ⟨q_i, Σ_j A_ij k_j⟩: the gathered keys are also the gradient's direction.
    let gathered = Tensor.zeros([images, pixels, channels]), sums = gathered.pointer, keys = key.pointer
    MemoryTraffic.count(read: key.byteCount, written: gathered.byteCount)
    parallelFor(images * pixels) { _, places in
        for place in places {
            let (image, cell) = place.quotientAndRemainder(dividingBy: pixels), target = sums + place * channels
            for match in positives.matches(image: image, cell: cell) {
                let source = keys + (image * pixels + Int(match)) * channels
                for channel in 0..<channels { target[channel] += source[channel] }
            }
        }
    }
    let rate = positives.counts.map { -dialect.lossFactor * imageWeight / (Double($0) + 1e-6) }
    var loss = 0.0
    for image in 0..<images {
        let agreement = query.value.rows(image..<image + 1).innerProduct(gathered.rows(image..<image + 1))
        loss += rate[image] * agreement
    }
    let result = pass.output(Tensor([1], [Float(loss)]), of: [query]) { seed in
        for image in 0..<images {
            gathered.rows(image..<image + 1).scaleInPlace(Float(rate[image]) * seed.floats[0])
        }
        query.receive(gathered)
    }
    return (loss, result)
}
