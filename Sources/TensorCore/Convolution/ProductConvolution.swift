import CKernels

/// Convolution as products of patches × weights, rounded to the map's type where they are summed; the patches of a 1×1
/// convolution are the pixels themselves.
public struct ProductConvolution: KernelEngine {
    public let name = "products"

    public init() {}

    /// Whether this engine computes `geometry`; it is fast where the processor has the kernels.
    public static func computes(_ geometry: ConvolutionGeometry) -> Bool { geometry.fitsPanels }

    public func kernels(_ geometry: ConvolutionGeometry, _ type: ElementType) -> any ConvolutionKernels {
        switch type {
        case .float32: PatchProducts<Float>(geometry)
        case .bfloat16: PatchProducts<BFloat16>(geometry)
        }
    }
}

private struct PatchProducts<E: KernelElement>: ConvolutionKernels {
    private let patches: PatchMatrix
    private let isPointwise: Bool
    /// Of a patch, and with it of the rows of weights.
    private let columns: Int
    private let outputs: Int

    init(_ geometry: ConvolutionGeometry) {
        precondition(
            ProductConvolution.computes(geometry),
            "products in \(E.elementType) cannot compute \(geometry)")
        patches = PatchMatrix(geometry)
        isPointwise = geometry.isPointwise
        (columns, outputs) = (patches.columns, geometry.outputChannels)
    }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let packed = packs.packed(weight, layout: .panels(E.elementType), sweeps: sweeps(columns, outputs)) {
            E.packed(weight, depth: columns, columns: outputs, isTransposed: true)
        }
        multiply(input, columns, packed, output, outputs, isDirect: isPointwise, accumulate: false)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        let packed = packs.packed(
            weight, layout: .transposedPanels(E.elementType), sweeps: sweeps(outputs, columns)
        ) {
            E.packed(weight, depth: outputs, columns: columns, isTransposed: false)
        }
        if isPointwise {
            multiply(outputGradient, outputs, packed, inputGradient, columns, isDirect: true, accumulate: accumulate)
            return
        }
        // Patches overlap: their gradients are added up in float32. Weights that stay in no cache come in once, tap by tap.
        let wide = accumulate ? inputGradient.cast(to: .float32) : Tensor.zeros(inputGradient.shape)
        let width = areLarge(outputs, columns) ? patches.geometry.inputChannels : columns,
            depth = outputs / E.depthPerWord
        let tile = Tensor([rowsAtOnce, width])
        let dy = outputGradient.elements(E.self)
        for first in stride(from: 0, to: columns, by: width) {
            for rows in patches.runs(rowsAtOnce) {
                let shape = kernels_product(
                    rows: rows.count, columns: width, depth: depth, rowStride: depth, depthStride: 1,
                    resultStride: width)
                E.multiply(
                    shape, dy + rows.lowerBound * outputs, packed.pointer + first * depth, sums: tile.pointer)
                patches.fold(tile.pointer, rows: rows, columns: first..<first + width, addingTo: wide.pointer)
            }
        }
        if wide !== inputGradient { wide.cast(into: inputGradient) }
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        // As many pixels as stay in cache, but enough to outweigh adding to the gradient.
        let bytes = (columns + outputs) * E.elementType.byteCount
        let most = max(400, (320 << 10) / bytes) / 2 * 2
        let panelX = Tensor([columns * most]), panelDY = Tensor([outputs * most])
        let x = input.elements(E.self), dy = outputGradient.elements(E.self)
        for rows in patches.runs(most) {
            let depth = (rows.count + 1) / 2 * 2 / E.depthPerWord
            packPatches(x, rows, depth: depth, into: panelX.pointer)
            E.panels.pack(
                dy + rows.lowerBound * outputs, rows.count, outputs, panelDY.pointer, depth * panelColumns)
            let next = MemoryAhead(
                patches.run(after: rows, most), x, isPointwise ? columns : 0, dy, outputs)
            let panels = outputs / panelColumns
            for panel in 0..<panels {
                var shape = kernels_product(
                    rows: panelColumns, columns: columns, depth: depth, rowStride: 1, depthStride: panelColumns,
                    resultStride: columns, accumulate: accumulate || rows.lowerBound > 0)
                shape.fetch(next, part: panel, of: panels)
                let row = panel * panelColumns
                E.multiply(
                    shape, panelDY.pointer + row * depth, panelX.pointer, sums: weightGradient.pointer + row * columns)
            }
        }
    }

    /// Rows of a product at once: few enough to be read, and written to, while they are in the nearest caches.
    private var rowsAtOnce: Int { 56 }

    private var runs: Int { (patches.rows + rowsAtOnce - 1) / rowsAtOnce }

    /// Whether so many weights stay in no cache while runs of rows pass by.
    private func areLarge(_ depth: Int, _ columns: Int) -> Bool {
        depth * columns * E.elementType.byteCount > MemoryTraffic.cacheShare
    }

    /// How often so many weights are read for all rows.
    private func sweeps(_ depth: Int, _ columns: Int) -> Int { areLarge(depth, columns) ? 1 : runs }

    /// The patches of pixels `rows` in panels whose depth are the pixels.
    private func packPatches(
        _ map: UnsafePointer<E>, _ rows: Range<Int>, depth: Int, into words: UnsafeMutablePointer<Float>
    ) {
        if isPointwise {
            E.panels.pack(map + rows.lowerBound * columns, rows.count, columns, words, depth * panelColumns)
            return
        }
        let pair = Tensor([2, columns], E.elementType), first = pair.elements(E.self)
        for row in stride(from: rows.lowerBound, to: rows.upperBound, by: 2) {
            let both = row..<min(row + 2, rows.upperBound)
            patches.unfold(map, rows: both, into: first, rowStride: columns)
            E.panels.pack(
                first, both.count, columns, words + (row - rows.lowerBound) / E.depthPerWord * panelColumns,
                depth * panelColumns)
        }
    }

    /// output ← input·packed, or added to what is there; rows of the input are pixels of `depth` channels, or patches.
    private func multiply(
        _ input: Tensor, _ depth: Int, _ packed: Tensor, _ output: Tensor, _ columns: Int, isDirect: Bool,
        accumulate: Bool
    ) {
        let x = input.elements(E.self), y = output.elements(E.self)
        // Rows a multiple of half a page apart would share the lines of the nearest cache: some more between them.
        let isMoved = !isDirect || (depth * E.elementType.byteCount).isMultiple(of: 2048)
        let stride = isMoved ? depth + 16 * E.depthPerWord : depth
        if areLarge(depth, columns) {
            return multiplyByColumns(
                x, depth, stride, packed, y, columns, isDirect: isDirect, isMoved: isMoved, accumulate: accumulate)
        }
        let tile = Tensor([isMoved ? rowsAtOnce * stride : 0], E.elementType), moved = tile.elements(E.self)
        for rows in patches.runs(rowsAtOnce) {
            let direct = UnsafePointer(x) + rows.lowerBound * (isDirect ? depth : 0)
            if isMoved { move(x, rows, depth, isDirect: isDirect, to: moved, stride) }
            var shape = kernels_product(
                rows: rows.count, columns: columns, depth: depth / E.depthPerWord, rowStride: stride / E.depthPerWord,
                depthStride: 1, resultStride: columns, accumulate: accumulate)
            shape.fetch(MemoryAhead(patches.run(after: rows, rowsAtOnce), x, isDirect ? depth : 0, y, columns))
            E.multiply(
                shape, isMoved ? UnsafePointer(moved) : direct, packed.pointer, into: y + rows.lowerBound * columns)
        }
    }

    /// The same for weights that stay in no cache: all rows pass by as many columns of them as do, so that each comes in once.
    private func multiplyByColumns(
        _ x: UnsafePointer<E>, _ depth: Int, _ stride: Int, _ packed: Tensor, _ y: UnsafeMutablePointer<E>,
        _ columns: Int, isDirect: Bool, isMoved: Bool, accumulate: Bool
    ) {
        let tile = Tensor([isMoved ? patches.rows * stride : 0], E.elementType), moved = tile.elements(E.self)
        if isMoved { move(x, 0..<patches.rows, depth, isDirect: isDirect, to: moved, stride) }
        let source = isMoved ? UnsafePointer(moved) : x, words = depth / E.depthPerWord
        let most = max(1, (512 << 10) / (4 * words * panelColumns)) * panelColumns
        for column in Swift.stride(from: 0, to: columns, by: most) {
            for rows in patches.runs(rowsAtOnce) {
                var shape = kernels_product(
                    rows: rows.count, columns: min(most, columns - column), depth: words,
                    rowStride: stride / E.depthPerWord, depthStride: 1, resultStride: columns, accumulate: accumulate)
                shape.fetch(MemoryAhead(patches.run(after: rows, rowsAtOnce), source, stride, y, 0))
                E.multiply(
                    shape, source + rows.lowerBound * stride, packed.pointer + column * words,
                    into: y + rows.lowerBound * columns + column)
            }
        }
    }

    /// Rows of the left matrix, pixels or patches, to `target`, `stride` elements apart.
    private func move(
        _ x: UnsafePointer<E>, _ rows: Range<Int>, _ depth: Int, isDirect: Bool, to target: UnsafeMutablePointer<E>,
        _ stride: Int
    ) {
        guard isDirect else { return patches.unfold(x, rows: rows, into: target, rowStride: stride) }
        let first = x + rows.lowerBound * depth
        for row in 0..<rows.count { (target + row * stride).update(from: first + row * depth, count: depth) }
    }
}
