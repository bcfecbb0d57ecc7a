extension Tensor {
    /// self ← self + other, of one element type.
    public func addInPlace(_ other: Tensor) {
        MemoryTraffic.count(read: byteCount + other.byteCount, written: byteCount)
        parallelFor(count) { _, range in add(other, range) }
    }

    /// `addInPlace` for what runs beside the compute threads or on one of them.
    public func addOnThisThread(_ other: Tensor) { add(other, 0..<count) }

    private func add(_ other: Tensor, _ range: Range<Int>) {
        precondition(count == other.count, "cannot add \(other.shape) to \(shape)")
        func run<Element: KernelElement>(_ type: Element.Type) {
            let a = elements(type) + range.lowerBound, b = other.elements(type) + range.lowerBound
            forEachEight(range.count) { i, lanes in
                Element.store(
                    Element.load(a + i, lanes: lanes) + Element.load(b + i, lanes: lanes), a + i, lanes: lanes)
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// self ← factor · self.
    public func scaleInPlace(_ factor: Float) {
        let a = pointer
        MemoryTraffic.count(read: byteCount, written: byteCount)
        parallelFor(count) { _, range in
            for i in range { a[i] *= factor }
        }
    }

    /// self ← momentum · self + (1 − momentum) · other, the moving average of a momentum encoder.
    public func moveTowards(_ other: Tensor, momentum: Double) {
        precondition(count == other.count, "cannot average \(other.shape) into \(shape)")
        let a = pointer, b = other.pointer
        let keep = Float(momentum), take = Float(1 - momentum)
        MemoryTraffic.count(read: byteCount + other.byteCount, written: byteCount)
        parallelFor(count) { _, range in
            for i in range { a[i] = a[i] * keep + b[i] * take }
        }
        markChanged()
    }

    /// output ← max(self, 0).
    public func rectified(into output: Tensor) {
        precondition(count == output.count, "cannot write \(shape) into \(output.shape)")
        MemoryTraffic.count(read: byteCount, written: output.byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), y = output.elements(type)
            parallelFor(count) { _, range in
                for i in range { y[i] = Element(rounding: max(x[i].float, 0)) }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// gradient ← gradient where self > 0, else 0; self is a rectified output.
    public func maskGradient(_ gradient: Tensor) {
        precondition(count == gradient.count, "gradient \(gradient.shape) for output \(shape)")
        MemoryTraffic.count(read: byteCount + gradient.byteCount, written: gradient.byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let y = elements(type), dy = gradient.elements(type)
            parallelFor(count) { _, range in
                for i in range where !(y[i].float > 0) { dy[i] = Element(rounding: 0) }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// Adds `bias` [C], of float32, to every row of this tensor […, C].
    public func addToRows(_ bias: Tensor) {
        let columns = bias.count
        precondition(shape.last == columns, "bias \(bias.shape) for \(shape)")
        MemoryTraffic.count(read: byteCount, written: byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) {
            let y = elements(type), b = bias.pointer
            parallelFor(count / columns) { _, rows in
                for row in rows {
                    let target = y + row * columns
                    forEachEight(columns) { c, lanes in
                        Element.store(
                            Element.load(target + c, lanes: lanes) + Float.load(b + c, lanes: lanes), target + c,
                            lanes: lanes)
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }
}
