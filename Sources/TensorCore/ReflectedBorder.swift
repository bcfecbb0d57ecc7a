/// How a side of a map continues beyond its ends: mirrored about the first and the last pixel, which are not repeated.
public struct ReflectedBorder: Sendable, Equatable {
    public let before, after: Int

    public init(before: Int, after: Int) { (self.before, self.after) = (before, after) }

    func check(_ size: Int) {
        precondition(
            max(before, after) < size,
            "\(size) pixels cannot be mirrored over \(before) before and \(after) behind them")
    }

    /// Which of `size` pixels stands at a place of the bordered side.
    func source(_ place: Int, of size: Int) -> Int {
        let from = abs(place - before)
        return from < size ? from : 2 * (size - 1) - from
    }
}

extension Tensor {
    /// Maps [N, H, W, C] with a mirrored border: [N, H + before + after, W + before + after, C].
    public func bordered(_ border: ReflectedBorder) -> Tensor {
        let (h, w) = (shape[1], shape[2]), extra = border.before + border.after
        border.check(h)
        border.check(w)
        let result = Tensor([shape[0], h + extra, w + extra, shape[3]], elementType)
        let pixel = shape[3] * elementType.byteCount, source = bytes, target = result.bytes
        // SAFETY: the border's sources lie within the map, whose sides it was checked against.
        parallelFor(shape[0] * (h + extra)) { _, rows in
            for row in rows {
                let (image, y) = row.quotientAndRemainder(dividingBy: h + extra)
                let from = source + (image * h + border.source(y, of: h)) * w * pixel
                for x in 0..<w + extra {
                    (target + (row * (w + extra) + x) * pixel).copyMemory(
                        from: from + border.source(x, of: w) * pixel, byteCount: pixel)
                }
            }
        }
        return result
    }

    /// The adjoint of `bordered`: each pixel of a map has the sum of what became of it.
    public func borderedGradient(_ border: ReflectedBorder) -> Tensor {
        let extra = border.before + border.after, (h, w, c) = (shape[1] - extra, shape[2] - extra, shape[3])
        let result = Tensor.zeros([shape[0], h, w, c], elementType)
        func run<Element: KernelElement>(_ type: Element.Type) {
            // SAFETY: as above; the images of a batch are apart.
            let dy = elements(type), dx = result.elements(type)
            parallelFor(shape[0]) { _, images in
                for image in images {
                    for y in 0..<h + extra {
                        let from = dy + (image * (h + extra) + y) * (w + extra) * c
                        let into = dx + (image * h + border.source(y, of: h)) * w * c
                        for x in 0..<w + extra {
                            let a = into + border.source(x, of: w) * c, b = from + x * c
                            forEachEight(c) { i, lanes in
                                Element.store(
                                    Element.load(a + i, lanes: lanes) + Element.load(b + i, lanes: lanes), a + i,
                                    lanes: lanes)
                            }
                        }
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        return result
    }
}
