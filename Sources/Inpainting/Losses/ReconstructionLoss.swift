package import ImagePipeline
package import NeuralNetwork
package import TensorCore

/// How much each pixel of a batch counts in the two L1 losses.
///
/// The discounted one is a mean over windows, or over holes; the other over what is known: both means are over all ranks'
/// pictures of a micro-batch, whose counts the maker brings.
package struct ReconstructionWeights {
    /// [N, H, W]: within the hole, or its window; and outside the hole.
    package let hole, known: Tensor

    /// Pixels of a micro-batch on all ranks.
    package struct Counts: Sendable {
        package let images: Int
        package let hole, known: Double

        package init(images: Int, hole: Double, known: Double) {
            (self.images, self.hole, self.known) = (images, hole, known)
        }
    }

    /// - Parameter share: of the micro-batch in the loss.
    package init(_ batch: MaskedBatch, _ discount: Discount, base: Double, counts: Counts, share: Double) {
        let shape = batch.masks.shape, (height, width) = (shape[1], shape[2]), pixels = height * width
        let hole = Tensor.zeros([shape[0], height, width]), known = Tensor([shape[0], height, width])
        let masks = batch.masks.floats, (h, k) = (hole.floats, known.floats)
        let each = share / (3 * max(counts.known, 1))
        for i in 0..<k.count { k[i] = Float(each * Double(1 - masks[i])) }
        switch discount {
        case .fromWindow:
            let size = batch.windows[0]
            let weights = HoleDiscount.overWindow(height: size.height, width: size.width, base: base)
            let each = share / Double(3 * counts.images * size.height * size.width)
            for (image, window) in batch.windows.enumerated() {
                precondition(window.height == size.height && window.width == size.width, "windows of two sizes")
                for y in 0..<size.height {
                    let row = (image * height + window.top + y) * width + window.left
                    for x in 0..<size.width { h[row + x] = Float(each * weights[y * size.width + x]) }
                }
            }
        case .fromKnown:
            let each = share / (3 * max(counts.hole, 1))
            parallelFor(shape[0]) { _, images in
                for image in images {
                    let own = image * pixels..<(image + 1) * pixels
                    let mask = HoleMask(height: height, width: width, holes: masks[own].map { $0 != 0 })
                    let weights = HoleDiscount.overHole(mask, base: base)
                    for (pixel, weight) in zip(own, weights) { h[pixel] = Float(each * weight) }
                }
            }
        }
        (self.hole, self.known) = (hole, known)
    }
}

/// Both L1 losses of an output, and their weighted sum with its way back.
package struct ReconstructionLoss {
    package let hole, known: Double
    /// [1].
    package let variable: Variable

    /// Σ weights · |output − images| with either weights; the variable is holeFactor · hole + knownFactor · known.
    ///
    /// output [N, H, W, 3] of float32. The slope of |x| at 0 is 0.
    package init(
        _ output: Variable, images: Tensor, _ weights: ReconstructionWeights, holeFactor: Double, knownFactor: Double,
        _ pass: Pass
    ) {
        let shape = output.value.shape, rows = shape[0] * shape[1], width = shape[2]
        precondition(
            images.shape == shape && shape[3] == 3 && weights.hole.shape == Array(shape.prefix(3)),
            "errors of \(shape) against \(images.shape), weighted by \(weights.hole.shape)")
        let (x, t) = (output.value.floats, images.floats), (h, k) = (weights.hole.floats, weights.known.floats)
        let sums = Accumulators(2 * rows)
        parallelFor(rows) { _, part in
            for row in part {
                for pixel in row * width..<(row + 1) * width {
                    let error = (3 * pixel..<3 * pixel + 3).reduce(0.0) { $0 + abs(Double(x[$1]) - Double(t[$1])) }
                    sums[2 * row] += Double(h[pixel]) * error
                    sums[2 * row + 1] += Double(k[pixel]) * error
                }
            }
        }
        // In order, so that it does not depend on the threads.
        let hole = (0..<rows).reduce(0.0) { $0 + sums[2 * $1] },
            known = (0..<rows).reduce(0.0) { $0 + sums[2 * $1 + 1] }
        (self.hole, self.known) = (hole, known)
        let total = holeFactor * hole + knownFactor * known
        variable = pass.output(Tensor([1], [Float(total)]), of: [output]) { seed in
            let gradient = Tensor(shape), (factor, dx) = (Double(seed.floats[0]), gradient.floats)
            let (x, t) = (output.value.floats, images.floats), (h, k) = (weights.hole.floats, weights.known.floats)
            parallelFor(rows * width) { _, pixels in
                for pixel in pixels {
                    let slope = Float(factor * (holeFactor * Double(h[pixel]) + knownFactor * Double(k[pixel])))
                    for i in 3 * pixel..<3 * pixel + 3 { dx[i] = x[i] > t[i] ? slope : x[i] < t[i] ? -slope : 0 }
                }
            }
            output.receive(gradient)
        }
    }
}
