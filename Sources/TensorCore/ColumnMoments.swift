/// Per-column sums over the rows of […, C] maps, in double precision: the statistics of batch normalisation.
extension Tensor {
    /// Per column the sum and the sum of squares: [Σx (C), Σx² (C)].
    public func columnMoments() -> Accumulators {
        let columns = shape.last!
        return sumRows(columns) { addColumnMoments(rows: $0, into: $1) }
    }

    /// sums ← sums + [Σx (C), Σx² (C)] over some rows, on the calling thread.
    func addColumnMoments(rows: Range<Int>, into sums: UnsafeMutablePointer<Double>) {
        func run<Element: ProductElement>(_ type: Element.Type) {
            let columns = shape.last!
            let x = elements(type)
            if let kernels = Element.normalization(columns: columns) {
                return kernels.moments(x + rows.lowerBound * columns, Int64(rows.count), Int64(columns), sums)
            }
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

    /// Per column Σg and Σg·x, g being what a rectifier lets through of `gradient`: [Σg (C), Σgx (C)].
    ///
    /// self is x, the input of the normalisation.
    public func gradientMoments(gradient: Tensor, rectifier: NormalizationRectifier) -> Accumulators {
        let columns = shape.last!
        precondition(count == gradient.count, "gradient \(gradient.shape) for \(shape)")
        func run<Element: ProductElement>(_ type: Element.Type) -> Accumulators {
            let x = elements(type), g = gradient.elements(type)
            if let kernels = Element.normalization(columns: columns) {
                return sumRows(columns) { rows, sums in
                    let first = rows.lowerBound * columns
                    rectifier.withGate(from: first, type) { gate in
                        kernels.gradientMoments(x + first, g + first, gate, Int64(rows.count), Int64(columns), sums)
                    }
                }
            }
            func sums<SomeGate: Gate>(_ gate: SomeGate) -> Accumulators {
                sumRows(columns) { addInBlocks(x, $0, columns, GatedGradient(gradient: g, gate: gate), into: $1) }
            }
            switch rectifier {
            case .none: return sums(OpenGate())
            case .ofAffine(let scale, let shift): return sums(AffineGate(scale: scale.pointer, shift: shift.pointer))
            case .ofOutput(let output): return sums(OutputGate(output: output.elements(type), gradient: g))
            }
        }
        return elementType == .float32 ? run(Float.self) : run(BFloat16.self)
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
    _ x: UnsafePointer<Element>, _ rows: Range<Int>, _ columns: Int, _ weight: Weight,
    into sums: UnsafeMutablePointer<Double>
) {
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: blockRows) {
        let block = start..<min(start + blockRows, rows.upperBound)
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
