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
        func run<Element: KernelElement>(_ type: Element.Type) {
            let x = elements(type), y = output.elements(type), r = residual?.elements(type)
            let a = scale.pointer, b = shift.pointer
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

    /// Per column Σg and Σg·x, g being what a rectifier lets through of `gradient`: [Σg (C), Σgx (C)].
    ///
    /// self is x, the input of the normalisation.
    public func gradientMoments(gradient: Tensor, rectifier: NormalizationRectifier) -> Accumulators {
        let columns = shape.last!
        precondition(count == gradient.count, "gradient \(gradient.shape) for \(shape)")
        func run<Element: KernelElement>(_ type: Element.Type) -> Accumulators {
            let x = elements(type), g = gradient.elements(type)
            switch rectifier {
            case .none:
                return sumRows(columns) { addInBlocks(x, $0, columns, GatedGradient(gradient: g, gate: OpenGate()), into: $1) }
            case .ofAffine(let scale, let shift):
                let gate = AffineGate(scale: scale.pointer, shift: shift.pointer)
                return sumRows(columns) { addInBlocks(x, $0, columns, GatedGradient(gradient: g, gate: gate), into: $1) }
            case .ofOutput(let output):
                let gate = OutputGate(output: output.elements(type), gradient: g)
                return sumRows(columns) { addInBlocks(x, $0, columns, GatedGradient(gradient: g, gate: gate), into: $1) }
            }
        }
        return elementType == .float32 ? run(Float.self) : run(BFloat16.self)
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
        func run<Element: KernelElement>(_ type: Element.Type) {
            let maps = GradientMaps(x: elements(type), gradient: gradient.elements(type), output: output.elements(type))
            let coefficients = (a.pointer, b.pointer, c.pointer)
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

    /// Runs `add(rows, sums)` over all rows, some on each compute thread; the threads' sums [2 C] are added in order.
    private func sumRows(
        _ columns: Int, _ add: (Range<Int>, UnsafeMutablePointer<Double>) -> Void
    ) -> Accumulators {
        PartialSums(width: 2 * columns).total { sums in
            parallelFor(count / max(columns, 1)) { part, rows in add(rows, sums(part)) }
        }
    }

    /// Per column the sum and the sum of squares: [Σx (C), Σx² (C)].
    public func columnMoments() -> Accumulators {
        let columns = shape.last!
        return sumRows(columns) { addColumnMoments(rows: $0, into: $1) }
    }

    /// sums ← sums + [Σx (C), Σx² (C)] over some rows, on the calling thread.
    func addColumnMoments(rows: Range<Int>, into sums: UnsafeMutablePointer<Double>) {
        func run<Element: KernelElement>(_ type: Element.Type) {
            let columns = shape.last!
            let x = elements(type)
            addInBlocks(x, rows, columns, Deviations(), into: sums)
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// sums ← beta · sums + Σ rows; self is […, C], sums [C] of float32.
    public func columnSums(into sums: Tensor, beta: Float) {
        let columns = sums.count
        precondition(shape.last == columns, "column sums of \(shape) into \(sums.shape)")
        let moments = columnMoments()
        let s = sums.pointer
        for c in 0..<columns { s[c] = (beta == 0 ? 0 : beta * s[c]) + Float(moments[c]) }
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
}

/// scale · x + shift of up to eight columns, rounded once.
@inline(__always)
private func affine<Element: KernelElement>(
    _ x: UnsafePointer<Element>, _ scale: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ lanes: Int
) -> SIMD8<Float> {
    Float.load(shift, lanes: lanes).addingProduct(Element.load(x, lanes: lanes), Float.load(scale, lanes: lanes))
}

/// What the columns' values are summed with.
private protocol ColumnWeight {
    /// The weights of up to eight values `x` (`deviation` of them from the block's pivot) from `index` on.
    func weights(
        x: SIMD8<Float>, deviation: SIMD8<Float>, index: Int, column: Int, lanes: Int
    ) -> SIMD8<Float>
    /// Adds Σw and Σw·x of a column to `sums`, given Σw and Σw·(x − pivot) over a block of `rows`.
    func add(
        _ weights: Double, _ products: Double, pivot: Double, rows: Double, to first: inout Double,
        _ second: inout Double)
}

/// The values themselves: Σx and Σx².
private struct Deviations: ColumnWeight {
    @inline(__always)
    func weights(
        x: SIMD8<Float>, deviation: SIMD8<Float>, index: Int, column: Int, lanes: Int
    ) -> SIMD8<Float> { deviation }

    @inline(__always)
    func add(
        _ sum: Double, _ squares: Double, pivot: Double, rows: Double, to first: inout Double,
        _ second: inout Double
    ) {
        first += sum + rows * pivot
        second += squares + pivot * (2 * sum + rows * pivot)
    }
}

/// A gradient behind a gate: Σg and Σg·x.
private struct GatedGradient<Element: KernelElement, SomeGate: Gate>: ColumnWeight {
    let gradient: UnsafePointer<Element>
    let gate: SomeGate

    @inline(__always)
    func weights(
        x: SIMD8<Float>, deviation: SIMD8<Float>, index: Int, column: Int, lanes: Int
    ) -> SIMD8<Float> {
        gate.pass(
            Element.load(gradient + index, lanes: lanes), x: x, index: index, column: column, lanes: lanes)
    }

    @inline(__always)
    func add(
        _ sum: Double, _ products: Double, pivot: Double, rows: Double, to first: inout Double,
        _ second: inout Double
    ) {
        first += sum
        second += products + pivot * sum
    }
}

/// Lets a gradient through where a rectifier did not cut.
private protocol Gate {
    /// The gradient of up to eight elements from `index` on (column `column`), whose x is `x`.
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float>
}

private struct OpenGate: Gate {
    @inline(__always)
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float> { gradient }
}

private struct AffineGate: Gate {
    let scale, shift: UnsafePointer<Float>

    @inline(__always)
    func pass(_ gradient: SIMD8<Float>, x: SIMD8<Float>, index: Int, column: Int, lanes: Int) -> SIMD8<Float> {
        let output = Float.load(shift + column, lanes: lanes)
            .addingProduct(x, Float.load(scale + column, lanes: lanes))
        return gradient.replacing(with: 0, where: output .<= 0)
    }
}

private struct OutputGate<Element: KernelElement>: Gate {
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

/// Rows whose float32 sums are added to the double-precision ones: the rounding of so few does not show, and conversions
/// to double cost little.
private let blockRows = 16

/// sums ← sums + [Σw (C), Σw·x (C)] over `rows` of x.
///
/// Within a block values are taken from its first row's, so that a mean far from zero costs no precision.
@inline(__always)
private func addInBlocks<Element: KernelElement, Weight: ColumnWeight>(
    _ x: UnsafePointer<Element>, _ rows: Range<Int>, _ columns: Int, _ weight: Weight,
    into sums: UnsafeMutablePointer<Double>
) {
    @inline(__always)
    func term(_ row: Int, _ column: Int, _ lanes: Int, _ pivot: SIMD8<Float>) -> (SIMD8<Float>, SIMD8<Float>) {
        let at = row * columns + column
        let value = Element.load(x + at, lanes: lanes)
        let deviation = value - pivot
        let weights = weight.weights(x: value, deviation: deviation, index: at, column: column, lanes: lanes)
        return (weights, deviation)
    }
    @inline(__always)
    func add(_ first: SIMD8<Float>, _ second: SIMD8<Float>, _ pivot: SIMD8<Float>, _ count: Int, _ column: Int, _ lanes: Int) {
        for lane in 0..<lanes {
            weight.add(
                Double(first[lane]), Double(second[lane]), pivot: Double(pivot[lane]), rows: Double(count),
                to: &sums[column + lane], &sums[columns + column + lane])
        }
    }
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
        let block = start..<min(start + blockRows, rows.upperBound)
        // A cache line of float32 at a time: rows that lie a power of two apart would push each other's halves out.
        var column = 0
        while column + 16 <= columns {
            let pivot = (
                Element.load8(x + start * columns + column), Element.load8(x + start * columns + column + 8)
            )
            var first = (SIMD8<Float>(), SIMD8<Float>()), second = first
            for row in block {
                let low = term(row, column, 8, pivot.0), high = term(row, column + 8, 8, pivot.1)
                first = (first.0 + low.0, first.1 + high.0)
                second = (second.0.addingProduct(low.0, low.1), second.1.addingProduct(high.0, high.1))
            }
            add(first.0, second.0, pivot.0, block.count, column, 8)
            add(first.1, second.1, pivot.1, block.count, column + 8, 8)
            column += 16
        }
        while column < columns {
            let lanes = min(8, columns - column)
            let pivot = Element.load(x + start * columns + column, lanes: lanes)
            var first = SIMD8<Float>(), second = first
            for row in block {
                let (weights, deviation) = term(row, column, lanes, pivot)
                first += weights
                second.addProduct(weights, deviation)
            }
            add(first, second, pivot, block.count, column, lanes)
            column += lanes
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
