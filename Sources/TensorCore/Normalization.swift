import CAVX512

/// The kernels of batch normalisation over [rows, C], C being the last dimension; scale, shift and their like are [C].
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
        func run<Element: ProductElement>(_ type: Element.Type) {
            let x = elements(type), y = output.elements(type), r = residual?.elements(type)
            let a = scale.pointer, b = shift.pointer
            if let kernels = Element.normalization(columns: columns) {
                parallelFor(count / columns) { _, rows in
                    let first = rows.lowerBound * columns
                    kernels.affine(
                        x + first, a, b, r.map { $0 + first }, rectify ? 1 : 0, Int64(rows.count), Int64(columns),
                        y + first)
                }
                return
            }
            let floor = SIMD8<Float>(repeating: rectify ? 0 : -.infinity)
            parallelFor(count / columns) { _, rows in
                for row in rows {
                    let at = row * columns
                    forEachEight(columns) { c, lanes in
                        var value = affine(x + at + c, a + c, b + c, lanes)
                        if let r { value += Element.load(r + at + c, lanes: lanes) }
                        // Not a maximum: NaN must come through.
                        value.replace(with: floor, where: value .< floor)
                        Element.store(value, y + at + c, lanes: lanes)
                    }
                }
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
        func run<Element: ProductElement>(_ type: Element.Type) {
            let maps = GradientMaps(x: elements(type), gradient: gradient.elements(type), output: output.elements(type))
            let coefficients = (a.pointer, b.pointer, c.pointer)
            if let kernels = Element.normalization(columns: columns) {
                parallelFor(count / columns) { _, rows in
                    let first = rows.lowerBound * columns
                    rectifier.withGate(from: first, type) { gate in
                        kernels.gradient(
                            maps.x + first, maps.gradient + first, gate, coefficients.0, coefficients.1,
                            coefficients.2, Int64(rows.count), Int64(columns), maps.output + first)
                    }
                }
                return
            }
            parallelFor(count / columns) { _, rows in
                switch rectifier {
                case .ofAffine(let scale, let shift):
                    maps.write(rows, columns, coefficients, AffineGate(scale: scale.pointer, shift: shift.pointer))
                // The gradient was gated in place when its moments were taken.
                case .none, .ofOutput: maps.write(rows, columns, coefficients, OpenGate())
                }
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

    /// Calls `body` with the gate of the rows from element `first` on.
    func withGate<Element: KernelElement>(
        from first: Int, _ type: Element.Type, _ body: (UnsafePointer<cavx512_gate>) -> Void
    ) {
        var gate = cavx512_gate()
        switch self {
        case .none: break
        case .ofAffine(let scale, let shift):
            gate.scale = UnsafePointer(scale.pointer)
            gate.shift = UnsafePointer(shift.pointer)
        case .ofOutput(let output): gate.output = UnsafeRawPointer(output.elements(type) + first)
        }
        body(&gate)
    }
}

/// scale · x + shift of up to eight columns, rounded once.
@inline(__always)
private func affine<Element: KernelElement>(
    _ x: UnsafePointer<Element>, _ scale: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ lanes: Int
) -> SIMD8<Float> {
    Float.load(shift, lanes: lanes).addingProduct(Element.load(x, lanes: lanes), Float.load(scale, lanes: lanes))
}

/// Lets a gradient through where a rectifier did not cut.
protocol Gate {
    /// The gradient of up to eight elements from `index` on (column `column`), whose x is `x`.
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float>
}

struct OpenGate: Gate {
    @inline(__always)
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float> {
        gradient
    }
}

struct AffineGate: Gate {
    let scale, shift: UnsafePointer<Float>

    @inline(__always)
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float> {
        let output = Float.load(shift + column, lanes: lanes)
            .addingProduct(x, Float.load(scale + column, lanes: lanes))
        return gradient.replacing(with: 0, where: output .<= 0)
    }
}

struct OutputGate<Element: KernelElement>: Gate {
    let output: UnsafePointer<Element>
    let gradient: UnsafeMutablePointer<Element>

    @inline(__always)
    func pass(_ dy: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float> {
        let gated = dy.replacing(with: 0, where: Element.load(output + index, lanes: lanes) .<= 0)
        Element.store(gated, gradient + index, lanes: lanes)
        return gated
    }
}

private struct GradientMaps<Element: KernelElement> {
    let x, gradient: UnsafePointer<Element>
    let output: UnsafeMutablePointer<Element>

    @inline(__always)
    func write<SomeGate: Gate>(
        _ rows: Range<Int>, _ columns: Int,
        _ k: (a: UnsafeMutablePointer<Float>, b: UnsafeMutablePointer<Float>, c: UnsafeMutablePointer<Float>),
        _ gate: SomeGate
    ) {
        for row in rows {
            forEachEight(columns) { c, lanes in
                let at = row * columns + c
                let value = Element.load(x + at, lanes: lanes)
                let dy = gate.pass(
                    Element.load(gradient + at, lanes: lanes), x: value, index: at, column: c, lanes: lanes)
                let along = Float.load(k.c + c, lanes: lanes)
                    .addingProduct(value, Float.load(k.b + c, lanes: lanes))
                Element.store(
                    along.addingProduct(dy, Float.load(k.a + c, lanes: lanes)), output + at, lanes: lanes)
            }
        }
    }
}
