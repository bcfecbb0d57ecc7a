/// Four neighbours in a row of transformed weights, for eight channels.
struct PatchRow {
    typealias Lanes = SIMD8<Float>
    var a: Lanes
    var b: Lanes
    var c: Lanes
    var d: Lanes

    @inline(__always)
    static func + (x: PatchRow, y: PatchRow) -> PatchRow {
        PatchRow(a: x.a + y.a, b: x.b + y.b, c: x.c + y.c, d: x.d + y.d)
    }

    @inline(__always)
    static func - (x: PatchRow, y: PatchRow) -> PatchRow {
        PatchRow(a: x.a - y.a, b: x.b - y.b, c: x.c - y.c, d: x.d - y.d)
    }

    @inline(__always)
    static func * (factor: Float, x: PatchRow) -> PatchRow {
        PatchRow(a: factor * x.a, b: factor * x.b, c: factor * x.c, d: factor * x.d)
    }

    /// G of three weights.
    @inline(__always)
    init(weights first: Lanes, _ second: Lanes, _ third: Lanes) {
        let outer = 0.5 * (first + third), inner = 0.5 * second
        self.init(a: first, b: outer + inner, c: outer - inner, d: third)
    }

    /// Gᵀ of a row: the gradients of three weights.
    @inline(__always)
    var weightGradient: (Lanes, Lanes, Lanes) {
        let sum = 0.5 * (b + c)
        return (a + sum, 0.5 * (b - c), sum + d)
    }

    @inline(__always)
    init(a: Lanes, b: Lanes, c: Lanes, d: Lanes) {
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
    }
}

/// Transformed weights of a 3×3 kernel, or products with them: sixteen places, eight channels.
struct Patch {
    var rows: (PatchRow, PatchRow, PatchRow, PatchRow)

    /// G g Gᵀ of the nine weights `tap` apart, or of the kernel turned by 180 degrees.
    @inline(__always)
    init(weights: UnsafePointer<Float>, tap: Int, turned: Bool) {
        @inline(__always)
        func row(_ r: Int) -> PatchRow {
            let first = weights + (turned ? 8 - 3 * r : 3 * r) * tap, step = turned ? -tap : tap
            return PatchRow(
                weights: Float.load8(first), Float.load8(first + step), Float.load8(first + 2 * step))
        }
        let r = (row(0), row(1), row(2))
        let outer = 0.5 * (r.0 + r.2), inner = 0.5 * r.1
        rows = (r.0, outer + inner, outer - inner, r.2)
    }

    /// The sixteen products `stride` apart.
    @inline(__always)
    init(products: UnsafePointer<Float>, stride: Int) {
        @inline(__always)
        func row(_ r: Int) -> PatchRow {
            let first = products + 4 * r * stride
            return PatchRow(
                a: Float.load8(first), b: Float.load8(first + stride), c: Float.load8(first + 2 * stride),
                d: Float.load8(first + 3 * stride))
        }
        rows = (row(0), row(1), row(2), row(3))
    }

    /// Calls `store` with each place and its values in two patches.
    @inline(__always)
    static func forEach(
        _ first: Patch, _ second: Patch, _ store: (Int, PatchRow.Lanes, PatchRow.Lanes) -> Void
    ) {
        @inline(__always)
        func row(_ r: Int, _ x: PatchRow, _ y: PatchRow) {
            store(4 * r, x.a, y.a)
            store(4 * r + 1, x.b, y.b)
            store(4 * r + 2, x.c, y.c)
            store(4 * r + 3, x.d, y.d)
        }
        row(0, first.rows.0, second.rows.0)
        row(1, first.rows.1, second.rows.1)
        row(2, first.rows.2, second.rows.2)
        row(3, first.rows.3, second.rows.3)
    }

    /// Gᵀ U G: the gradients of the nine weights, in three rows.
    @inline(__always)
    var weightGradient: (PatchRow, PatchRow, PatchRow) {
        let sum = 0.5 * (rows.1 + rows.2)
        return (rows.0 + sum, 0.5 * (rows.1 - rows.2), sum + rows.3)
    }
}
