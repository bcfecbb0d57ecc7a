import CAVX512

/// 3×3 convolution with 4/9 of the multiplications, by Winograd's minimal filtering: sixteen products of transformed
/// tiles and transformed weights, summed in float32.
///
/// In bfloat16 the transformed numbers are rounded once more than the maps are, which makes an output's error about
/// twice that of a direct convolution.
public struct WinogradConvolution: ConvolutionEngine {
    public let name = "Winograd"

    public init() {}

    /// Whether this engine computes `geometry`, on this processor.
    public static func computes(_ geometry: ConvolutionGeometry, _ type: ElementType) -> Bool {
        geometry.kernel == 3 && geometry.stride == 1 && geometry.padding == 1 && geometry.dilation == 1
            && geometry.groups == 1 && geometry.inputChannels % panelColumns == 0
            && geometry.outputChannels % panelColumns == 0
            && (type == .float32 ? Float.isMultiplied : BFloat16.isMultiplied)
    }

    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
    ) {
        switch input.elementType {
        case .float32: WinogradProducts<Float>(geometry).forward(input, weight, packs, output)
        case .bfloat16: WinogradProducts<BFloat16>(geometry).forward(input, weight, packs, output)
        }
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool
    ) {
        switch inputGradient.elementType {
        case .float32:
            WinogradProducts<Float>(geometry)
                .backwardData(outputGradient, weight, packs, inputGradient, accumulate: accumulate)
        case .bfloat16:
            WinogradProducts<BFloat16>(geometry)
                .backwardData(outputGradient, weight, packs, inputGradient, accumulate: accumulate)
        }
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        switch input.elementType {
        case .float32:
            WinogradProducts<Float>(geometry)
                .backwardWeights(input, outputGradient, weightGradient, accumulate: accumulate)
        case .bfloat16:
            WinogradProducts<BFloat16>(geometry)
                .backwardWeights(input, outputGradient, weightGradient, accumulate: accumulate)
        }
    }
}

/// The three directions of one geometry, on the calling thread.
private struct WinogradProducts<E: ProductElement> {
    private let geometry: ConvolutionGeometry
    private let tiles: WinogradTiles
    private var inputs: Int { geometry.inputChannels }
    private var outputs: Int { geometry.outputChannels }

    init(_ geometry: ConvolutionGeometry) {
        precondition(
            WinogradConvolution.computes(geometry, E.elementType),
            "Winograd's convolution in \(E.elementType) cannot compute \(geometry)")
        self.geometry = geometry
        tiles = WinogradTiles(geometry)
    }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let packed = packs.packed(weight, layout: .winograd(E.elementType)) {
            let taps = Tensor([9, inputs, outputs])
            for tap in 0..<9 {
                transpose(
                    weight.pointer + tap * inputs, rows: outputs, columns: inputs, rowStride: 9 * inputs,
                    into: taps.pointer + tap * inputs * outputs)
            }
            return Self.pack(
                taps.pointer, depth: inputs, columns: outputs, tap: inputs * outputs, depthStride: outputs,
                turned: false)
        }
        convolve(input, inputs, packed, output, outputs, accumulate: false)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        // A convolution with the kernels turned by 180 degrees and their channels exchanged.
        let packed = packs.packed(weight, layout: .winogradTurned(E.elementType)) {
            Self.pack(
                weight.pointer, depth: outputs, columns: inputs, tap: inputs, depthStride: 9 * inputs, turned: true)
        }
        convolve(outputGradient, outputs, packed, inputGradient, inputs, accumulate: accumulate)
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        let products = Tensor([16, outputs, inputs])
        // Rows and columns of products that stay in cache would be too few: the depth must outweigh adding to them.
        let bytes = 16 * (inputs + outputs) * E.elementType.byteCount
        let most = max(256, Self.cachedBytes / bytes) / 2 * 2
        for block in tiles.blocks(most) {
            let depth = (block.count + 1) / 2 * 2 / E.depthPerWord
            let x = PlacePanels(channels: inputs, depth: depth), dy = PlacePanels(channels: outputs, depth: depth)
            tiles.transformInputs(input.elements(E.self), inputs, block, into: x)
            tiles.transformGradients(outputGradient.elements(E.self), outputs, block, into: dy)
            let next = MemoryAhead(
                tiles.pixels(after: block), input.elements(E.self), inputs, outputGradient.elements(E.self), outputs)
            for place in 0..<16 {
                for row in stride(from: 0, to: outputs, by: panelColumns) {
                    var shape = cavx512_product(
                        rows: panelColumns, columns: inputs, depth: depth, rowStride: 1, depthStride: panelColumns,
                        resultStride: inputs, accumulate: block.lowerBound > 0)
                    shape.fetch(next, part: (place * outputs + row) / panelColumns, of: 16 * outputs / panelColumns)
                    E.multiply(
                        shape, dy[place] + row * depth, x[place],
                        sums: products.pointer + (place * outputs + row) * inputs)
                }
            }
        }
        Self.unpack(products.pointer, into: weightGradient.pointer, outputs * inputs, inputs, accumulate)
    }

    /// output ← input ∗ packed weights, block by block of tiles and channels.
    private func convolve(
        _ input: Tensor, _ inputs: Int, _ packed: Tensor, _ output: Tensor, _ outputs: Int, accumulate: Bool
    ) {
        let depth = inputs / E.depthPerWord
        let most = max(56, Self.cachedBytes / (16 * inputs * E.elementType.byteCount)) / 14 * 14
        let width = min(outputs, 2 * panelColumns)
        for block in tiles.blocks(most) {
            // A line more for each place: sixteen streams at a power of two would share the lines of the cache.
            let xStride = block.count * depth + 16, yStride = block.count * width + 16
            let x = Tensor([16, xStride]), y = Tensor([16, yStride])
            tiles.transformInputs(
                input.elements(E.self), inputs, block,
                x.bytes.assumingMemoryBound(to: E.self), stride: xStride * E.depthPerWord)
            let next = MemoryAhead(
                tiles.pixels(after: block), input.elements(E.self), inputs, output.elements(E.self), outputs)
            for column in Swift.stride(from: 0, to: outputs, by: width) {
                let columns = min(width, outputs - column)
                var shape = cavx512_product(
                    rows: block.count, columns: columns, depth: depth, rowStride: depth, depthStride: 1,
                    resultStride: width)
                for place in 0..<16 {
                    shape.fetch(next, part: column / width * 16 + place, of: (outputs + width - 1) / width * 16)
                    E.multiply(
                        shape, x.pointer + place * xStride, packed.pointer + (place * outputs + column) * depth,
                        sums: y.pointer + place * yStride)
                }
                tiles.transformOutputs(
                    y.pointer, stride: yStride, rowStride: width, block, channels: column..<column + columns,
                    of: outputs, into: output.elements(E.self), accumulate: accumulate)
            }
        }
    }

    /// Bytes of transformed tiles that stay in a core's cache until they are used again.
    private static var cachedBytes: Int { 448 << 10 }

    /// Transformed weights in panels, place by place; `weights` are found `tap` and `depthStride` apart.
    private static func pack(
        _ weights: UnsafePointer<Float>, depth: Int, columns: Int, tap: Int, depthStride: Int, turned: Bool
    ) -> Tensor {
        let words = depth / E.depthPerWord
        let packed = Tensor([16, columns * words])
        for d in stride(from: 0, to: depth, by: 2) {
            for column in stride(from: 0, to: columns, by: 8) {
                let source = weights + d * depthStride + column
                let target = packed.pointer + (column / panelColumns * words + d / E.depthPerWord) * panelColumns
                    + column % panelColumns
                Patch.forEach(
                    Patch(weights: source, tap: tap, turned: turned),
                    Patch(weights: source + depthStride, tap: tap, turned: turned)
                ) { place, first, second in
                    E.storeDepth(first, second, target + place * columns * words)
                }
            }
        }
        return packed
    }

    /// The gradients of OHWI weights from the sixteen products, each outputs × inputs.
    private static func unpack(
        _ products: UnsafePointer<Float>, into gradient: UnsafeMutablePointer<Float>, _ stride: Int, _ inputs: Int,
        _ accumulate: Bool
    ) {
        for first in Swift.stride(from: 0, to: stride, by: 8) {
            let rows = Patch(products: products + first, stride: stride).weightGradient
            let target = gradient + first / inputs * 9 * inputs + first % inputs
            func store(_ row: PatchRow, _ tap: Int) {
                let values = row.weightGradient
                func add(_ value: SIMD8<Float>, _ place: UnsafeMutablePointer<Float>) {
                    Float.store8(accumulate ? Float.load8(place) + value : value, place)
                }
                add(values.0, target + tap * inputs)
                add(values.1, target + (tap + 1) * inputs)
                add(values.2, target + (tap + 2) * inputs)
            }
            store(rows.0, 0)
            store(rows.1, 3)
            store(rows.2, 6)
        }
    }
}
