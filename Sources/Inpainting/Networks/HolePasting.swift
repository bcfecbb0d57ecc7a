package import NeuralNetwork
package import TensorCore

/// What is in holes from x, and what is around them from pictures: x · mask + pictures · (1 − mask).
///
/// x and pictures [N, H, W, C] of float32, masks [N, H, W, 1]. The gradient reaches x within the holes.
package func pasteIntoHoles(_ x: Variable, of pictures: Tensor, masks: Tensor, _ pass: Pass) -> Variable {
    let shape = x.value.shape, channels = shape[3]
    precondition(
        pictures.shape == shape && masks.shape == shape.prefix(3) + [1],
        "pasting \(shape) into holes \(masks.shape) of \(pictures.shape)")
    let output = Tensor(shape), (a, b, m, y) = (x.value.floats, pictures.floats, masks.floats, output.floats)
    parallelFor(m.count) { _, pixels in
        for pixel in pixels {
            for i in pixel * channels..<(pixel + 1) * channels { y[i] = a[i] * m[pixel] + b[i] * (1 - m[pixel]) }
        }
    }
    return pass.output(output, of: [x]) { dy in
        dy.multiplyPixels(by: masks)
        x.receive(dy)
    }
}

extension Tensor {
    /// self [N, H, W, C] ← self · mask, masks [N, H, W, 1].
    package func multiplyPixels(by masks: Tensor) {
        let channels = shape[3], (x, m) = (floats, masks.floats)
        precondition(m.count * channels == count, "masks \(masks.shape) for \(shape)")
        parallelFor(m.count) { _, pixels in
            for pixel in pixels {
                for i in pixel * channels..<(pixel + 1) * channels { x[i] *= m[pixel] }
            }
        }
    }
}
