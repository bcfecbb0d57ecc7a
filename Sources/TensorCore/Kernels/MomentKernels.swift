import CKernels

/// Per-column sums over some rows of so many columns, on the calling thread.
extension KernelElement {
    /// sums ← sums + [Σx (C), Σx² (C)].
    static func moments(
        _ x: UnsafePointer<Self>, rows: Int, columns: Int, addingTo sums: UnsafeMutablePointer<Double>
    ) {
        if let kernels = normalization(columns: columns) { return kernels.moments(x, rows, columns, sums) }
        addInBlocks(x, rows, columns, Deviations(), into: sums)
    }

    /// sums ← sums + [Σg (C), Σg·x (C)], g being what the gate lets through; an output gates the gradient in place.
    static func gradientMoments(
        _ x: UnsafePointer<Self>, gradient: UnsafeMutablePointer<Self>, _ gate: kernels_gate, rows: Int, columns: Int,
        addingTo sums: UnsafeMutablePointer<Double>
    ) {
        if let kernels = normalization(columns: columns) {
            return withUnsafePointer(to: gate) { kernels.gradient_moments(x, gradient, $0, rows, columns, sums) }
        }
        func add(_ gate: some Gate) {
            addInBlocks(x, rows, columns, GatedGradient(gradient: gradient, gate: gate), into: sums)
        }
        if let output = gate.output {
            add(OutputGate(output: output.assumingMemoryBound(to: Self.self), gradient: gradient))
        } else if let scale = gate.scale, let shift = gate.shift {
            add(AffineGate(scale: scale, shift: shift))
        } else {
            add(OpenGate())
        }
    }
}

extension KernelElement {
    /// sums ← sums + x, a row of so many columns.
    @inline(__always)
    static func addRow(_ x: UnsafePointer<Self>, columns: Int, to sums: UnsafeMutablePointer<Double>) {
        var column = 0
        while column < columns {
            let lanes = min(8, columns - column)
            addEight(SIMD8<Double>(load(x + column, lanes: lanes)), to: sums + column, lanes: lanes)
            column += lanes
        }
    }
}

/// What the columns' values are summed with.
private protocol ColumnWeight {
    /// The weights of up to eight values `x` (`deviation` of them from the block's pivot) from `index` on.
    func weights(
        x: SIMD8<Float>, deviation: SIMD8<Float>, index: Int, column: Int, lanes: Int
    ) -> SIMD8<Float>
    /// Σw and Σw·x of eight columns, given Σw and Σw·(x − pivot) over a block of `rows`.
    func sums(
        _ weights: SIMD8<Double>, _ products: SIMD8<Double>, pivot: SIMD8<Double>, rows: Double
    ) -> (first: SIMD8<Double>, second: SIMD8<Double>)
}

/// The values themselves: Σx and Σx².
private struct Deviations: ColumnWeight {
    @inline(__always)
    func weights(
        x: SIMD8<Float>, deviation: SIMD8<Float>, index: Int, column: Int, lanes: Int
    ) -> SIMD8<Float> { deviation }

    @inline(__always)
    func sums(
        _ sum: SIMD8<Double>, _ squares: SIMD8<Double>, pivot: SIMD8<Double>, rows: Double
    ) -> (first: SIMD8<Double>, second: SIMD8<Double>) {
        let shift = pivot * rows
        return (sum + shift, squares + pivot * (sum + sum + shift))
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
    func sums(
        _ sum: SIMD8<Double>, _ products: SIMD8<Double>, pivot: SIMD8<Double>, rows: Double
    ) -> (first: SIMD8<Double>, second: SIMD8<Double>) { (sum, products + pivot * sum) }
}

/// Rows whose float32 sums are added to the double-precision ones: the rounding of so few does not show, and conversions
/// to double cost little.
private let blockRows = 32

/// sums ← sums + [Σw (C), Σw·x (C)] over `rows` of x.
@inline(__always)
private func addInBlocks<Element: KernelElement, Weight: ColumnWeight>(
    _ x: UnsafePointer<Element>, _ rows: Int, _ columns: Int, _ weight: Weight,
    into sums: UnsafeMutablePointer<Double>
) {
    for start in stride(from: 0, to: rows, by: blockRows) {
        let block = start..<min(start + blockRows, rows)
        @inline(__always)
        func sum(_ column: Int, _ lanes: Int) -> BlockSum<Element, Weight> {
            BlockSum(x, start * columns + column, column, lanes, weight)
        }
        // Whole cache lines at a time: rows that lie a power of two apart would push each other's rest out.
        var column = 0
        while column + 32 <= columns {
            var a = sum(column, 8), b = sum(column + 8, 8), c = sum(column + 16, 8), d = sum(column + 24, 8)
            for row in block {
                a.add(row * columns)
                b.add(row * columns)
                c.add(row * columns)
                d.add(row * columns)
            }
            a.finish(block.count, columns, into: sums)
            b.finish(block.count, columns, into: sums)
            c.finish(block.count, columns, into: sums)
            d.finish(block.count, columns, into: sums)
            column += 32
        }
        while column < columns {
            let lanes = min(8, columns - column)
            var rest = sum(column, lanes)
            for row in block { rest.add(row * columns) }
            rest.finish(block.count, columns, into: sums)
            column += lanes
        }
    }
}

/// The sums of up to eight columns over a block of rows.
///
/// Values are taken from the block's first row's, so that a mean far from zero costs no precision.
private struct BlockSum<Element: KernelElement, Weight: ColumnWeight> {
    private let x: UnsafePointer<Element>
    private let column, lanes: Int
    private let weight: Weight
    private let pivot: SIMD8<Float>
    private var first = SIMD8<Float>(), second = SIMD8<Float>()

    /// `index` is that of the block's first row in `column`.
    @inline(__always)
    init(_ x: UnsafePointer<Element>, _ index: Int, _ column: Int, _ lanes: Int, _ weight: Weight) {
        (self.x, self.column, self.lanes, self.weight) = (x, column, lanes, weight)
        pivot = Element.load(x + index, lanes: lanes)
    }

    /// Adds the row whose first column is at `row`.
    @inline(__always)
    mutating func add(_ row: Int) {
        let at = row + column
        let value = Element.load(x + at, lanes: lanes)
        let deviation = value - pivot
        let weights = weight.weights(x: value, deviation: deviation, index: at, column: column, lanes: lanes)
        first += weights
        second.addProduct(weights, deviation)
    }

    @inline(__always)
    func finish(_ rows: Int, _ columns: Int, into sums: UnsafeMutablePointer<Double>) {
        let (one, two) = weight.sums(
            SIMD8<Double>(first), SIMD8<Double>(second), pivot: SIMD8<Double>(pivot), rows: Double(rows))
        addEight(one, to: sums + column, lanes: lanes)
        addEight(two, to: sums + columns + column, lanes: lanes)
    }
}

@inline(__always)
private func addEight(_ values: SIMD8<Double>, to sums: UnsafeMutablePointer<Double>, lanes: Int) {
    if lanes == 8 {
        let raw = UnsafeMutableRawPointer(sums)
        raw.storeBytes(of: raw.loadUnaligned(as: SIMD8<Double>.self) + values, as: SIMD8<Double>.self)
    } else {
        for lane in 0..<lanes { sums[lane] += values[lane] }
    }
}
