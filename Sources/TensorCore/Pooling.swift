extension ReadMap {
    /// Maximum over kernel × kernel windows of NHWC maps of `shape`; also which tap won, for the gradient.
    ///
    /// The first of equal values wins, as in PyTorch; padding never wins.
    public func maxPooled(
        _ shape: [Int], kernel: Int, stride: Int, padding: Int
    ) -> (output: Tensor, winners: PoolingWinners) {
        precondition(shape.count == 4 && kernel * kernel <= 256, "max pooling of \(shape) by \(kernel)")
        let (n, h, w, c) = (shape[0], shape[1], shape[2], shape[3])
        let outH = (h + 2 * padding - kernel) / stride + 1, outW = (w + 2 * padding - kernel) / stride + 1
        let output = Tensor([n, outH, outW, c], elementType)
        let winners = PoolingWinners(count: output.count)
        MemoryTraffic.count(read: bytesRead, written: output.byteCount + winners.count)
        func pool(_ map: Tensor, _ rows: Range<Int>, image: Int = 0) {
            let first = image * outH * outW * c, part = output.view(offset: first, shape: [output.count - first])
            map.pool(
                rows, kernel: kernel, stride: stride, padding: padding, height: outH, width: outW, into: part,
                winners.taps + first)
        }
        if let memory, maker == nil {
            parallelFor(n * outH) { _, rows in pool(memory, rows) }
        } else {
            // What is made is pooled while it is in cache.
            parallelFor(n) { _, images in
                for image in images { pool(self.images(image..<image + 1, [1, h, w, c]), 0..<outH, image: image) }
            }
        }
        return (output, winners)
    }
}

extension Tensor {
    /// `ReadMap.maxPooled` of these maps.
    public func maxPooled(kernel: Int, stride: Int, padding: Int) -> (output: Tensor, winners: PoolingWinners) {
        ReadMap(self).maxPooled(shape, kernel: kernel, stride: stride, padding: padding)
    }

    /// Rows of the pooled maps, counted over all of these, to `output` and `winners`; on the calling thread.
    fileprivate func pool(
        _ rows: Range<Int>, kernel: Int, stride: Int, padding: Int, height: Int, width: Int, into output: Tensor,
        _ winners: UnsafeMutablePointer<UInt8>
    ) {
        let (h, w, c) = (shape[1], shape[2], shape[3])
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), y = output.elements(type)
            withWindow(of: kernel * kernel) { (window: Window<UnsafeRawPointer?>) in
                for row in rows {
                    for column in 0..<width {
                        let at = (row * width + column) * c
                        let count = window.find(
                            x + row / height * h * w * c, (h, w, c), top: row % height * stride - padding,
                            left: column * stride - padding, kernel)
                        Element.pool(window, count, channels: c, into: y + at, winners: winners + at)
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// The gradient of `maxPooled` for an input of `inputShape`; self is the output's gradient.
    public func maxPooledGradient(
        winners: PoolingWinners, inputShape: [Int], kernel: Int, stride: Int, padding: Int
    ) -> Tensor {
        precondition(winners.count == count, "\(winners.count) winners for gradient \(shape)")
        let (h, w, c) = (inputShape[1], inputShape[2], inputShape[3])
        let (outH, outW) = (shape[1], shape[2])
        let result = Tensor(inputShape, elementType)
        MemoryTraffic.count(read: byteCount + winners.count, written: result.byteCount)
        let windows = PoolingWindows(
            outputHeight: outH, outputWidth: outW, kernel: kernel, stride: stride, padding: padding)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let dy = elements(type), dx = result.elements(type)
            parallelFor(inputShape[0] * h) { _, rows in
                withWindow(of: kernel * kernel) { (over: Window<Int>) in
                    for row in rows {
                        for column in 0..<w {
                            let target = dx + (row * w + column) * c
                            let count = windows.find(image: row / h, y: row % h, x: column, over)
                            Element.poolGradient(
                                over, count, channels: c, gradient: dy, winners: winners.taps, into: target)
                        }
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        return result
    }

    /// The mean over height and width of NHWC maps of any element type: float32 [N, C].
    public func globallyAveraged() -> Tensor {
        precondition(shape.count == 4, "global average of \(shape)")
        let (n, pixels, c) = (shape[0], shape[1] * shape[2], shape[3])
        let output = Tensor.zeros([n, c])
        MemoryTraffic.count(read: byteCount, written: output.byteCount)
        let share = 1 / Float(pixels)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), y = output.pointer
            parallelFor(n) { _, images in
                for image in images {
                    let target = y + image * c
                    for pixel in 0..<pixels {
                        let source = x + (image * pixels + pixel) * c
                        for i in 0..<c { target[i] += source[i].float }
                    }
                    for i in 0..<c { target[i] *= share }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        return output
    }

    /// The gradient of `globallyAveraged` for an input of `inputShape` and `type`; self is [N, C].
    public func globallyAveragedGradient(inputShape: [Int], _ type: ElementType) -> Tensor {
        let (n, pixels, c) = (inputShape[0], inputShape[1] * inputShape[2], inputShape[3])
        precondition(shape == [n, c], "gradient \(shape) for the average of \(inputShape)")
        let result = Tensor(inputShape, type)
        MemoryTraffic.count(read: byteCount, written: result.byteCount)
        let share = 1 / Float(pixels)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let dy = pointer, dx = result.elements(type)
            parallelFor(n * pixels) { _, rows in
                for row in rows {
                    let source = dy + row / pixels * c, target = dx + row * c
                    for i in 0..<c { target[i] = Element(rounding: source[i] * share) }
                }
            }
        }
        type == .float32 ? run(Float.self) : run(BFloat16.self)
        return result
    }
}

/// Which tap of its window each output of a maximum pooling came from.
public final class PoolingWinners {
    let count: Int
    let taps: UnsafeMutablePointer<UInt8>

    init(count: Int) {
        self.count = count
        taps = MemoryPool.shared.allocate(count).bindMemory(to: UInt8.self, capacity: count)
    }

    deinit { MemoryPool.shared.release(taps, count) }
}

private func withWindow<Entry>(of taps: Int, _ body: (Window<Entry>) -> Void) {
    withUnsafeTemporaryAllocation(of: Entry.self, capacity: taps) { entries in
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: taps) {
            body(Window(entries: entries.baseAddress!, taps: $0.baseAddress!))
        }
    }
}

extension Window<UnsafeRawPointer?> {
    /// Enters the pixels under the window at (top, left) that lie on the image; returns their number.
    func find<Element>(
        _ image: UnsafePointer<Element>, _ size: (h: Int, w: Int, c: Int), top: Int, left: Int, _ kernel: Int
    ) -> Int {
        var count = 0
        for tapY in 0..<kernel where top + tapY >= 0 && top + tapY < size.h {
            for tapX in 0..<kernel where left + tapX >= 0 && left + tapX < size.w {
                entries[count] = UnsafeRawPointer(image + ((top + tapY) * size.w + left + tapX) * size.c)
                taps[count] = UInt8(tapY * kernel + tapX)
                count += 1
            }
        }
        return count
    }
}

/// The windows of a max pooling seen from its input: the gradient gathers, so that every input pixel is written once.
private struct PoolingWindows {
    let outputHeight, outputWidth, kernel, stride, padding: Int

    /// Enters the outputs whose windows hold pixel (y, x) of `image`, and as which tap; returns their number.
    func find(image: Int, y: Int, x: Int, _ over: Window<Int>) -> Int {
        var count = 0
        for row in windows(over: y, count: outputHeight) {
            for column in windows(over: x, count: outputWidth) {
                over.entries[count] = Int((image * outputHeight + row) * outputWidth + column)
                over.taps[count] = UInt8((y + padding - row * stride) * kernel + x + padding - column * stride)
                count += 1
            }
        }
        return count
    }

    /// The outputs, of `count` along a side, whose windows hold position `at`.
    private func windows(over at: Int, count: Int) -> Range<Int> {
        let last = min((at + padding) / stride, count - 1)
        let first = max((at + padding - kernel + stride) / stride, 0)
        return first..<max(last + 1, first)
    }
}
