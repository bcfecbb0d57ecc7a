import CKernels

/// Rows of bfloat16 numbers in a map, `stride` elements apart: the pixels that a table names, −1 for zeros, or all.
struct TileRows {
    let map: UnsafePointer<BFloat16>
    let stride: Int
    let pixels: [Int32]?

    /// Calls `body` with `count` of them, so many columns wide.
    func with(_ count: Int, _ columns: Int, _ body: (UnsafePointer<kernels_rows>) -> Void) {
        var rows = kernels_rows(map: map, row_bytes: 2 * stride, pixels: nil, count: count, columns: columns)
        guard let pixels else { return body(&rows) }
        pixels.withUnsafeBufferPointer {
            rows.pixels = $0.baseAddress!
            body(&rows)
        }
    }
}

/// Sums gradients of weights over runs of pixels, the first of which overwrites what is there unless it accumulates.
struct TileGradients {
    private let table: TileTable
    private let target: Tensor
    private let outputs, columns: Int
    private var accumulates: Bool

    /// `target` is float32 [outputs, taps, columns].
    init(_ table: TileTable, into target: Tensor, outputs: Int, columns: Int, accumulate: Bool) {
        (self.table, self.target, self.outputs, self.columns) = (table, target, outputs, columns)
        accumulates = accumulate
    }

    /// Adds `count` rows of each phase of the input, and of the output's gradient.
    mutating func add(_ taps: [TilePlan.Tap], _ count: Int, _ sources: [TileRows], _ gradient: TileRows) {
        let whole = (count + 31) / 32 * 32
        // Shifts reach before and behind the pixels, where the gradient is 0.
        let before = (max(0, taps.map(\.shift).max()!) + 31) / 32 * 32
        let behind = (max(0, -taps.map(\.shift).min()!) + 31) / 32 * 32
        // An odd number of lines: columns at a power of two would share the lines of the cache.
        let stride = ((before + whole + behind) / 32 | 1) * 32
        let transposed = Tensor([outputs, stride], .bfloat16), zero = BFloat16(bits: 0)
        let first = transposed.elements(BFloat16.self)
        for output in 0..<outputs {
            (first + output * stride).update(repeating: zero, count: before)
            (first + output * stride + before + whole).update(repeating: zero, count: stride - before - whole)
        }
        let start = UnsafeMutableRawPointer(first + before).assumingMemoryBound(to: UInt16.self)
        gradient.with(count, outputs) { table.tiles.transpose($0, start, stride) }
        let panelBytes = whole / 2 * tilePanelBytes, phaseBytes = columns / tileColumns * panelBytes
        let panels = Tensor([sources.count * phaseBytes / 4])
        for (phase, source) in sources.enumerated() {
            source.with(count, columns) { table.tiles.pack($0, panels.bytes + phase * phaseBytes, panelBytes) }
        }
        var shape = kernels_tile_gradient()
        shape.gradients = UnsafePointer(start)
        (shape.gradient_stride, shape.outputs, shape.pixels) = (stride, outputs, whole)
        (shape.panels, shape.panel_bytes, shape.columns) = (UnsafeRawPointer(panels.bytes), panelBytes, columns)
        (shape.target, shape.target_stride) = (target.pointer, target.count / outputs)
        (shape.taps, shape.accumulate) = (taps.count, accumulates)
        withTable(taps.map(\.shift)) { shifts in
            withTable(taps.map { $0.phase * phaseBytes }) { phases in
                withTable(taps.map { $0.weight * columns }) { places in
                    (shape.tap_pixels, shape.tap_panels, shape.tap_columns) = (shifts, phases, places)
                    table.tiles.gradient(&shape)
                }
            }
        }
        accumulates = true
    }

    private func withTable(_ values: [Int], _ body: (UnsafePointer<Int>) -> Void) {
        values.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
