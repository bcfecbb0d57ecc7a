/// A convolution as products of shifted rows: pixels lie in one long row with zeros between the rows and images of a
/// map, so that a tap reads from the same rows as the others, so many further on. Made once for each shape.
final class TilePlan: Sendable {
    struct Tap {
        /// Which of the kernel's taps.
        let weight: Int
        let phase: Int
        let shift: Int
    }

    /// Rows of a result and the taps that they sum.
    struct Part {
        let taps: [Tap]
        /// Runs begin `runStride` rows apart.
        let runs: Int
        let runStride: Int
        /// Rows of each run.
        let rows: Int
        /// The pixel of each row, −1 for none; nil: rows are pixels.
        let pixels: [Int32]?
    }

    /// Rows that lie together: pixels from `pixel` on, or zeros.
    private struct Run {
        let row: Int
        let pixel: Int?
        var count: Int
    }

    /// Rows of each phase.
    let count: Int
    /// The pixel of each row of each phase that is read, −1 for zeros; nil: rows are pixels.
    let sources: [[Int32]]?
    let parts: [Part]
    private let runs: [[Run]]
    /// Rows of zeros before and behind each phase.
    private let margin: Int

    /// From a phase to the next one.
    private var phaseRows: Int { count + 2 * margin }

    /// `parts` have the axes of their rows and columns, and where they write: every `step`-th pixel of a map.
    private init(_ parts: [(rows: TapAxis, columns: TapAxis, first: (Int, Int))], images: Int, target: TargetMap) {
        let rows = parts[0].rows, columns = parts[0].columns
        count = images * rows.pitch * columns.pitch
        let isPlain =
            parts.count == 1 && rows.taps.count == 1 && rows.isPlain && columns.isPlain && target.step == 1
        let cell = Cells(images: images, rows: rows.pitch, columns: columns.pitch)
        let phases = Self.phases(parts.map { ($0.rows, $0.columns) })
        sources =
            isPlain
            ? nil
            : phases.map { phase in
                cell.table { image, y, x in
                    let sourceY = y * rows.step + phase / columns.step,
                        sourceX = x * columns.step + phase % columns.step
                    guard y < rows.stored, x < columns.stored, sourceY < rows.source, sourceX < columns.source else {
                        return -1
                    }
                    return (image * rows.source + sourceY) * columns.source + sourceX
                }
            }
        self.parts = parts.map { part in
            let taps = part.rows.taps.flatMap { y in
                part.columns.taps.map { x in
                    Tap(
                        weight: y.index * target.kernel + x.index,
                        phase: phases.firstIndex(of: y.phase * columns.step + x.phase)!,
                        shift: y.shift * columns.pitch + x.shift)
                }
            }
            // Images apart, unless that would be a few rows at a time.
            let image = (part.rows.count - 1) * columns.pitch + part.columns.count
            let runStride = rows.pitch * columns.pitch
            let isApart = !isPlain && image > Self.leastRows
            return Part(
                taps: taps, runs: isApart ? images : 1, runStride: runStride,
                rows: isApart ? image : (images - 1) * runStride + image,
                pixels: isPlain
                    ? nil
                    : cell.table { image, y, x in
                        guard y < part.rows.count, x < part.columns.count else { return -1 }
                        let targetY = y * target.step + part.first.0, targetX = x * target.step + part.first.1
                        return (image * target.height + targetY) * target.width + targetX
                    })
        }
        margin = self.parts.flatMap(\.taps).map { abs($0.shift) }.max() ?? 0
        runs = (sources ?? []).map(Self.runs)
    }

    /// Rows below which a run fills its tiles badly.
    private static let leastRows = 40

    private struct TargetMap {
        let height, width, step, kernel: Int
    }

    /// The rows of a long row: images × rows × columns, with the zeros between them.
    private struct Cells {
        let images, rows, columns: Int

        func table(_ pixel: (_ image: Int, _ y: Int, _ x: Int) -> Int) -> [Int32] {
            var table: [Int32] = []
            table.reserveCapacity(images * rows * columns)
            for image in 0..<images {
                for y in 0..<rows {
                    for x in 0..<columns { table.append(Int32(pixel(image, y, x))) }
                }
            }
            return table
        }
    }

    /// The phases that are read, in order.
    private static func phases(_ parts: [(rows: TapAxis, columns: TapAxis)]) -> [Int] {
        let read = parts.flatMap { part in
            part.rows.taps.flatMap { y in part.columns.taps.map { x in y.phase * part.columns.step + x.phase } }
        }
        return Set(read).sorted()
    }

    private static func runs(_ table: [Int32]) -> [Run] {
        var runs: [Run] = []
        for (row, place) in table.enumerated() {
            let pixel = place < 0 ? nil : Int(place)
            if let last = runs.last, pixel == last.pixel.map({ $0 + last.count }) {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(Run(row: row, pixel: pixel, count: 1))
            }
        }
        return runs
    }
}

extension TilePlan {
    private struct Key: Hashable {
        let geometry: ConvolutionGeometry
        let isGradient: Bool
    }

    private static let made = ShapeCache<Key, TilePlan>()

    /// The convolution itself.
    static func forward(_ g: ConvolutionGeometry) -> TilePlan {
        made.value(Key(geometry: g, isGradient: false)) {
            let rows = TapAxis(forward: g, input: g.height, output: g.outputHeight)
            let columns = TapAxis(forward: g, input: g.width, output: g.outputWidth)
            return TilePlan(
                [(rows, columns, (0, 0))], images: g.batch,
                target: TargetMap(height: g.outputHeight, width: g.outputWidth, step: 1, kernel: g.kernel))
        }
    }

    /// Its gradient for the input, in a part for each phase of that; those without a tap are left out.
    static func gradient(_ g: ConvolutionGeometry) -> TilePlan {
        made.value(Key(geometry: g, isGradient: true)) {
            let rows = TapAxis.gradients(g, input: g.height, output: g.outputHeight)
            let columns = TapAxis.gradients(g, input: g.width, output: g.outputWidth)
            let parts = rows.indices.flatMap { y in columns.indices.map { x in (rows[y], columns[x], (y, x)) } }
            return TilePlan(
                parts.filter { !$0.0.taps.isEmpty && !$0.1.taps.isEmpty && $0.0.count > 0 && $0.1.count > 0 },
                images: g.batch,
                target: TargetMap(height: g.height, width: g.width, step: g.stride, kernel: g.kernel))
        }
    }

    /// Where a tap's rows begin in what `gathered` made, in rows.
    func first(_ tap: Tap) -> Int { sources == nil ? 0 : tap.phase * phaseRows + margin + tap.shift }

    /// The rows of all phases of a bfloat16 map; the map itself where its pixels are the rows.
    func gathered(_ map: Tensor, channels: Int) -> Tensor {
        guard sources != nil else { return map }
        let result = Tensor([runs.count * phaseRows, channels], .bfloat16)
        let source = map.elements(BFloat16.self), zero = BFloat16(bits: 0)
        for (phase, runs) in runs.enumerated() {
            let target = result.elements(BFloat16.self) + phase * phaseRows * channels
            target.update(repeating: zero, count: margin * channels)
            for run in runs {
                let place = target + (margin + run.row) * channels
                if let pixel = run.pixel {
                    place.update(from: source + pixel * channels, count: run.count * channels)
                } else {
                    place.update(repeating: zero, count: run.count * channels)
                }
            }
            (target + (margin + count) * channels).update(repeating: zero, count: margin * channels)
        }
        return result
    }
}

extension TapAxis {
    /// Whether the result's positions are the source's, one tap each.
    fileprivate var isPlain: Bool {
        step == 1 && taps.count == 1 && taps[0].shift == 0 && count == source && pitch == source
    }
}
