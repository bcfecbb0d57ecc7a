extension Tensor {
    /// NHWC maps at height × width, not less than they are, by nearest neighbours: row i takes row ⌊i · h / height⌋, and
    /// columns alike (PyTorch's `interpolate(mode="nearest")`).
    public func enlarged(height: Int, width: Int) -> Tensor {
        precondition(
            shape.count == 4 && shape[1] <= height && shape[2] <= width,
            "cannot enlarge \(shape) to \(height) × \(width)")
        let (h, w, c) = (shape[1], shape[2], shape[3])
        let output = Tensor([shape[0], height, width, c], elementType)
        let source = bytes, target = output.bytes, pixel = c * elementType.byteCount
        parallelFor(shape[0] * height) { _, rows in
            for row in rows {
                let from = source + (row / height * h + row % height * h / height) * w * pixel
                for column in 0..<width {
                    (target + (row * width + column) * pixel).copyMemory(
                        from: from + column * w / width * pixel, byteCount: pixel)
                }
            }
        }
        return output
    }

    /// The gradient of `enlarged` for maps of h × w: each pixel has the sum of what became of it.
    public func enlargedGradient(height h: Int, width w: Int) -> Tensor {
        let (height, width, c) = (shape[1], shape[2], shape[3])
        let result = Tensor([shape[0], h, w, c], elementType)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let dy = elements(type), dx = result.elements(type)
            parallelFor(shape[0] * h) { _, rows in
                for row in rows {
                    let below = places(of: row % h, inputs: h, outputs: height), image = row / h * height
                    for column in 0..<w {
                        let beside = places(of: column, inputs: w, outputs: width)
                        forEachEight(c) { channel, lanes in
                            var sum = SIMD8<Float>()
                            for y in below {
                                for x in beside {
                                    sum += Element.load(dy + ((image + y) * width + x) * c + channel, lanes: lanes)
                                }
                            }
                            Element.store(sum, dx + (row * w + column) * c + channel, lanes: lanes)
                        }
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        return result
    }
}

/// The outputs i with ⌊i · inputs / outputs⌋ = input.
private func places(of input: Int, inputs: Int, outputs: Int) -> Range<Int> {
    func first(_ input: Int) -> Int { (input * outputs + inputs - 1) / inputs }
    return first(input)..<first(input + 1)
}
