import TensorCore

/// Class ids of a batch's pixels, image by image and row by row.
package struct LabelBatch: Sendable {
    /// images · height · width ids.
    package var ids: [UInt8]
    package let height, width: Int
    /// The id of pixels that count nowhere.
    package let ignored: UInt8

    package init(ids: [UInt8], height: Int, width: Int, ignored: UInt8) {
        precondition(
            ids.count % (height * width) == 0, "\(ids.count) labels for images of \(height) × \(width) pixels")
        (self.ids, self.height, self.width, self.ignored) = (ids, height, width, ignored)
    }

    package var images: Int { ids.count / (height * width) }

    /// Pixels that count.
    package var labelled: Int { ids.count { $0 != ignored } }
}

/// weight · Σ −log softmax(logits upsampled bilinearly to the labels' size)[label], over all pixels that are not ignored.
///
/// logits [N, h, w, K] are float32 and get the gradient. One image's pixels are held at a time. Backward is seeded with 1.
package func upsampledCrossEntropy(
    _ logits: Variable, labels: LabelBatch, weight: Double, _ pass: Pass
) -> (loss: Double, variable: Variable) {
    let shape = logits.value.shape
    precondition(shape.count == 4 && shape[0] == labels.images, "\(labels.images) label maps for logits \(shape)")
    let classes = shape[3], pixels = labels.height * labels.width
    let upsample = BilinearUpsampling(
        mapRows: shape[1], mapColumns: shape[2], height: labels.height, width: labels.width)
    let gradient = Tensor(shape)
    var counts = [UInt8](repeating: 0, count: pixels * classes), loss = 0.0
    for image in 0..<shape[0] {
        let ids = labels.ids[image * pixels..<(image + 1) * pixels]
        mark(ids, labels, classes, in: &counts, as: 1)
        let predicted = upsample(logits.value.rows(image..<image + 1))
        loss += predicted.turnIntoCrossEntropyGradient(counts: counts)
        gradient.rows(image..<image + 1).copy(from: upsample.adjoint(predicted))
        mark(ids, labels, classes, in: &counts, as: 0)
    }
    loss *= weight
    let result = pass.output(Tensor([1], [Float(loss)]), of: [logits]) { seed in
        gradient.scaleInPlace(Float(weight) * seed.floats[0])
        logits.receive(gradient)
    }
    return (loss, result)
}

/// Writes `value` where a pixel has its class, in [rows, classes, columns].
private func mark(
    _ ids: ArraySlice<UInt8>, _ labels: LabelBatch, _ classes: Int, in counts: inout [UInt8], as value: UInt8
) {
    for (pixel, id) in ids.enumerated() where id != labels.ignored {
        precondition(id < classes, "label \(id) of \(classes) classes")
        let (row, column) = pixel.quotientAndRemainder(dividingBy: labels.width)
        counts[(row * classes + Int(id)) * labels.width + column] = value
    }
}
