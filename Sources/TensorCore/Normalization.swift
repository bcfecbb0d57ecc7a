import CKernels

/// Batch normalisation over [rows, C], C being the last dimension; scale, shift and their like are [C].
extension Tensor {
    /// output ← scale ⊙ self + shift (+ residual), rectified if asked; all maps are of one element type.
    ///
    /// `output` may be self.
    public func affineColumns(scale: Tensor, shift: Tensor, residual: Tensor?, rectify: Bool, into output: Tensor) {
        let columns = shape.last!
        precondition(
            scale.count == columns && shift.count == columns && output.count == count
                && (residual.map { $0.count == count } ?? true),
            "affine map of \(shape) with \(scale.count) scales, residual \(residual?.shape ?? []) into \(output.shape)")
        MemoryTraffic.count(read: byteCount + (residual?.byteCount ?? 0), written: output.byteCount)
        let pixels = output.matrix(columns: columns)
        parallelFor(count / columns) { _, rows in
            affineRows(
                rows, scale: scale, shift: shift, residual: residual?.matrix(columns: columns).rows(rows),
                rectify: rectify, into: pixels.rows(rows))
        }
    }

    /// output ← these rows of the same, on the calling thread; the residual has as many.
    public func affineRows(
        _ rows: Range<Int>, scale: Tensor, shift: Tensor, residual: Tensor?, rectify: Bool, into output: Tensor
    ) {
        func run<Element: KernelElement>(_ type: Element.Type) {
            let columns = shape.last!, first = rows.lowerBound * columns
            Element.affine(
                elements(type) + first, scale: scale.pointer, shift: shift.pointer,
                residual: residual.map { UnsafePointer($0.elements(type)) }, rectify: rectify, rows: rows.count,
                columns: columns, into: output.elements(type))
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// output ← a ⊙ g + b ⊙ self + c per column, the gradient of batch normalisation for its input; g as in
    /// `gradientMoments`. `output` may be `gradient`.
    public func normalizationGradient(
        gradient: Tensor, rectifier: NormalizationRectifier, a: Tensor, b: Tensor, c: Tensor, into output: Tensor
    ) {
        let columns = shape.last!
        precondition(
            gradient.count == count && output.count == count && a.count == columns && b.count == columns
                && c.count == columns, "gradient \(gradient.shape) for input \(shape) into \(output.shape)")
        MemoryTraffic.count(read: byteCount + gradient.byteCount, written: output.byteCount)
        let pixels = output.matrix(columns: columns)
        parallelFor(count / columns) { _, rows in
            normalizationGradientRows(
                rows, gradient: gradient, rectifier: rectifier, a: a, b: b, c: c, into: pixels.rows(rows))
        }
    }

    /// output ← these rows of the same, on the calling thread.
    public func normalizationGradientRows(
        _ rows: Range<Int>, gradient: Tensor, rectifier: NormalizationRectifier, a: Tensor, b: Tensor, c: Tensor,
        into output: Tensor
    ) {
        func run<Element: KernelElement>(_ type: Element.Type) {
            let columns = shape.last!, first = rows.lowerBound * columns
            Element.normalizationGradient(
                elements(type) + first, gradient: gradient.elements(type) + first, rectifier.gate(from: first, type),
                a: a.pointer, b: b.pointer, c: c.pointer, rows: rows.count, columns: columns,
                into: output.elements(type))
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }
}

/// Where the rectifier behind a normalisation cut, which decides what its gradient lets through.
public enum NormalizationRectifier {
    /// There is none.
    case none
    /// Where scale · x + shift ≤ 0: found again from x, which is read anyway.
    case ofAffine(scale: Tensor, shift: Tensor)
    /// Where the output is 0, for a sum with a residual; the gradient is gated in place, because the residual wants it.
    case ofOutput(Tensor)

    /// The gate of the rows from element `first` on; valid while the tensors live.
    func gate<Element: KernelElement>(from first: Int, _ type: Element.Type) -> kernels_gate {
        var gate = kernels_gate()
        switch self {
        case .none: break
        case .ofAffine(let scale, let shift):
            gate.scale = UnsafePointer(scale.pointer)
            gate.shift = UnsafePointer(shift.pointer)
        case .ofOutput(let output): gate.output = UnsafeRawPointer(output.elements(type) + first)
        }
        return gate
    }
}
