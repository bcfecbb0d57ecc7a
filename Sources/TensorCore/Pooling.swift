extension Tensor {
    /// Maximum over kernel × kernel windows of NHWC maps; also which tap won, for the gradient.
    ///
    /// The first of equal values wins, as in PyTorch; padding never wins.
    public func maxPooled(kernel: Int, stride: Int, padding: Int) -> (output: Tensor, winners: [UInt8]) {
        precondition(shape.count == 4 && kernel * kernel <= 256, "max pooling of \(shape) by \(kernel)")
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        let outH = (h + 2 * padding - kernel) / stride + 1, outW = (w + 2 * padding - kernel) / stride + 1
        let output = Tensor([n, outH, outW, c])
        let x = pointer, y = output.pointer
        let winners = [UInt8](unsafeUninitializedCapacity: output.count) { buffer, count in
            let taps = buffer.baseAddress!
            parallelFor(n * outH) { _, rows in
                for row in rows {
                    for column in 0..<outW {
                        let at = (row * outW + column) * c
                        poolWindow(
                            x + row / outH * h * w * c, (h, w, c), top: row % outH * stride - padding,
                            left: column * stride - padding, kernel, y + at, taps + at)
                    }
                }
            }
            count = output.count
        }
        return (output, winners)
    }

    /// The gradient of `maxPooled` for an input of `inputShape`; self is the output's gradient.
    public func maxPooledGradient(
        winners: [UInt8], inputShape: [Int], kernel: Int, stride: Int, padding: Int
    ) -> Tensor {
        precondition(winners.count == count, "\(winners.count) winners for gradient \(shape)")
        let (h, w, c) = (inputShape[1], inputShape[2], inputShape[3])
        let (outH, outW) = (shape[1], shape[2])
        let result = Tensor.zeros(inputShape)
        let dy = pointer, dx = result.pointer
        winners.withUnsafeBufferPointer { winners in
            let taps = winners.baseAddress!
            parallelFor(inputShape[0]) { _, images in
                for row in images.lowerBound * outH..<images.upperBound * outH {
                    let image = dx + row / outH * h * w * c
                    for column in 0..<outW {
                        let at = (row * outW + column) * c
                        let top = row % outH * stride - padding, left = column * stride - padding
                        for i in 0..<c {
                            let tap = Int(taps[at + i])
                            let pixel = (top + tap / kernel) * w + left + tap % kernel
                            image[pixel * c + i] += dy[at + i]
                        }
                    }
                }
            }
        }
        return result
    }

    /// The mean over height and width of NHWC maps: [N, C].
    public func globallyAveraged() -> Tensor {
        precondition(shape.count == 4, "global average of \(shape)")
        let (n, pixels, c) = (shape[0], shape[1] * shape[2], shape[3])
        let output = Tensor.zeros([n, c])
        let x = pointer, y = output.pointer
        let share = 1 / Float(pixels)
        parallelFor(n) { _, images in
            for image in images {
                let target = y + image * c
                for pixel in 0..<pixels {
                    let source = x + (image * pixels + pixel) * c
                    for i in 0..<c { target[i] += source[i] }
                }
                for i in 0..<c { target[i] *= share }
            }
        }
        return output
    }

    /// The gradient of `globallyAveraged` for an input of `inputShape`; self is [N, C].
    public func globallyAveragedGradient(inputShape: [Int]) -> Tensor {
        let (n, pixels, c) = (inputShape[0], inputShape[1] * inputShape[2], inputShape[3])
        precondition(shape == [n, c], "gradient \(shape) for the average of \(inputShape)")
        let result = Tensor(inputShape)
        let dy = pointer, dx = result.pointer
        let share = 1 / Float(pixels)
        parallelFor(n * pixels) { _, rows in
            for row in rows {
                let source = dy + row / pixels * c, target = dx + row * c
                for i in 0..<c { target[i] = source[i] * share }
            }
        }
        return result
    }
}

/// One window of max pooling for all channels.
@inline(__always)
private func poolWindow(
    _ image: UnsafePointer<Float>, _ size: (h: Int, w: Int, c: Int), top: Int, left: Int, _ kernel: Int,
    _ output: UnsafeMutablePointer<Float>, _ winners: UnsafeMutablePointer<UInt8>
) {
    output.update(repeating: -.infinity, count: size.c)
    winners.update(repeating: 0, count: size.c)
    for tap in 0..<kernel * kernel {
        let y = top + tap / kernel, x = left + tap % kernel
        guard y >= 0, y < size.h, x >= 0, x < size.w else { continue }
        let source = image + (y * size.w + x) * size.c
        for i in 0..<size.c {
            let better = source[i] > output[i]
            output[i] = better ? source[i] : output[i]
            winners[i] = better ? UInt8(truncatingIfNeeded: tap) : winners[i]
        }
    }
}
