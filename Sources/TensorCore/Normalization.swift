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
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), y = output.elements(type), r = residual?.elements(type)
            let a = scale.pointer, b = shift.pointer
            parallelFor(count / columns) { _, rows in
                let first = rows.lowerBound * columns
                Element.affine(
                    x + first, scale: a, shift: b, residual: r.map { $0 + first }, rectify: rectify, rows: rows.count,
                    columns: columns, into: y + first)
            }
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
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), g = gradient.elements(type), dx = output.elements(type)
            let (a, b, c) = (a.pointer, b.pointer, c.pointer)
            parallelFor(count / columns) { _, rows in
                let first = rows.lowerBound * columns
                Element.normalizationGradient(
                    x + first, gradient: g + first, rectifier.gate(from: first, type), a: a, b: b, c: c,
                    rows: rows.count, columns: columns, into: dx + first)
            }
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
