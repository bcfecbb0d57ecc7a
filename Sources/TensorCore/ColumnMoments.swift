/// Per-column sums over the rows of […, C] maps, in double precision: the statistics of batch normalisation.
extension Tensor {
    /// Per column the sum and the sum of squares: [Σx (C), Σx² (C)].
    public func columnMoments() -> Accumulators {
        let columns = shape.last!
        MemoryTraffic.count(read: byteCount)
        return sumRows(columns) { addColumnMoments(rows: $0, into: $1) }
    }

    /// sums ← sums + [Σx (C), Σx² (C)] over some rows, on the calling thread.
    func addColumnMoments(rows: Range<Int>, into sums: UnsafeMutablePointer<Double>) {
        func run<Element: KernelElement>(_ type: Element.Type) {
            let columns = shape.last!
            Element.moments(
                elements(type) + rows.lowerBound * columns, rows: rows.count, columns: columns, addingTo: sums)
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// sums ← beta · sums + Σ rows; self is […, C], sums [C] of float32.
    ///
    /// In double precision throughout: the gradient of a bias before a normalisation is zero, and what is left of it should
    /// be no more than the rounding of what is added up.
    public func columnSums(into sums: Tensor, beta: Float) {
        let columns = sums.count
        precondition(shape.last == columns, "column sums of \(shape) into \(sums.shape)")
        MemoryTraffic.count(read: byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) -> Accumulators {
            let x = elements(type)
            return PartialSums(width: columns).total { partial in
                parallelFor(count / max(columns, 1)) { part, rows in
                    let total = partial(part)
                    for row in rows { Element.addRow(x + row * columns, columns: columns, to: total) }
                }
            }
        }
        let total = elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        let s = sums.pointer
        for c in 0..<columns { s[c] = (beta == 0 ? 0 : beta * s[c]) + Float(total[c]) }
    }

    /// Per column Σg and Σg·x, g being what a rectifier lets through of `gradient`: [Σg (C), Σgx (C)].
    ///
    /// self is x, the input of the normalisation.
    public func gradientMoments(gradient: Tensor, rectifier: NormalizationRectifier) -> Accumulators {
        let columns = shape.last!
        precondition(count == gradient.count, "gradient \(gradient.shape) for \(shape)")
        MemoryTraffic.count(read: byteCount + gradient.byteCount)
        // A gradient that an output gates is gated in place.
        if case .ofOutput(let output) = rectifier {
            MemoryTraffic.count(read: output.byteCount, written: gradient.byteCount)
        }
        return sumRows(columns) { rows, sums in
            addGradientMoments(rows: rows, gradient: gradient, rectifier: rectifier, into: sums)
        }
    }

    /// sums ← sums + [Σg (C), Σgx (C)] over some rows, on the calling thread.
    func addGradientMoments(
        rows: Range<Int>, gradient: Tensor, rectifier: NormalizationRectifier, into sums: UnsafeMutablePointer<Double>
    ) {
        func run<Element: KernelElement>(_ type: Element.Type) {
            let columns = shape.last!, first = rows.lowerBound * columns
            Element.gradientMoments(
                elements(type) + first, gradient: gradient.elements(type) + first, rectifier.gate(from: first, type),
                rows: rows.count, columns: columns, addingTo: sums)
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// Runs `add(rows, sums)` over all rows, some on each compute thread; the threads' sums [2 C] are added in order.
    private func sumRows(
        _ columns: Int, _ add: (Range<Int>, UnsafeMutablePointer<Double>) -> Void
    ) -> Accumulators {
        PartialSums(width: 2 * columns).total { sums in
            parallelFor(count / max(columns, 1)) { part, rows in add(rows, sums(part)) }
        }
    }
}

/// One row of sums for each compute thread, added in the threads' order.
struct PartialSums {
    let width: Int

    func total(_ body: (_ sums: (_ part: Int) -> UnsafeMutablePointer<Double>) -> Void) -> Accumulators {
        let parts = ComputeThreads.shared.threads
        let sums = (0..<parts).map { _ in Accumulators(width) }
        body { sums[$0].values.baseAddress! }
        let total = sums[0].values
        for other in sums.dropFirst() {
            for i in 0..<width { total[i] += other.values[i] }
        }
        return sums[0]
    }
}
