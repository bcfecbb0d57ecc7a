import CKernels

/// Batch normalisation over some rows of so many columns, on the calling thread.
extension KernelElement {
    /// output ← scale ⊙ x + shift (+ residual), rectified if asked; `output` may be x.
    static func affine(
        _ x: UnsafePointer<Self>, scale: UnsafePointer<Float>, shift: UnsafePointer<Float>,
        residual: UnsafePointer<Self>?, rectify: Bool, rows: Int, columns: Int, into output: UnsafeMutablePointer<Self>
    ) {
        if let kernels = normalization(columns: columns) {
            return kernels.affine(x, scale, shift, residual, rectify, rows, columns, output)
        }
        let floor = SIMD8<Float>(repeating: rectify ? 0 : -.infinity)
        for at in stride(from: 0, to: rows * columns, by: columns) {
            forEachEight(columns) { c, lanes in
                var value = Float.load(shift + c, lanes: lanes)
                    .addingProduct(load(x + at + c, lanes: lanes), Float.load(scale + c, lanes: lanes))
                if let residual { value += load(residual + at + c, lanes: lanes) }
                // Not a maximum: NaN must come through.
                value.replace(with: floor, where: value .< floor)
                store(value, output + at + c, lanes: lanes)
            }
        }
    }

    /// output ← a ⊙ g + b ⊙ x + c, g being what the gate lets through of `gradient`, which may be `output`; what an
    /// output gates was gated in place when its moments were taken.
    static func normalizationGradient(
        _ x: UnsafePointer<Self>, gradient: UnsafePointer<Self>, _ gate: kernels_gate, a: UnsafePointer<Float>,
        b: UnsafePointer<Float>, c: UnsafePointer<Float>, rows: Int, columns: Int,
        into output: UnsafeMutablePointer<Self>
    ) {
        if let kernels = normalization(columns: columns) {
            return withUnsafePointer(to: gate) { kernels.gradient(x, gradient, $0, a, b, c, rows, columns, output) }
        }
        @inline(__always)
        func write(_ gate: some Gate) {
            for at in stride(from: 0, to: rows * columns, by: columns) {
                forEachEight(columns) { column, lanes in
                    let value = load(x + at + column, lanes: lanes)
                    let dy = gate.pass(
                        load(gradient + at + column, lanes: lanes), x: value, index: at + column, column: column,
                        lanes: lanes)
                    let along = Float.load(c + column, lanes: lanes)
                        .addingProduct(value, Float.load(b + column, lanes: lanes))
                    store(
                        along.addingProduct(dy, Float.load(a + column, lanes: lanes)), output + at + column,
                        lanes: lanes)
                }
            }
        }
        if let scale = gate.scale, let shift = gate.shift {
            write(AffineGate(scale: scale, shift: shift))
        } else {
            write(OpenGate())
        }
    }
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
