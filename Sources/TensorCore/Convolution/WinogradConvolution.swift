import CKernels

/// 3×3 convolution with 4/9 of the multiplications, by Winograd's minimal filtering F(2×2, 3×3): tiles of 2×2 outputs
/// from patches of 4×4 inputs, in sixteen products over the channels.
///
///     Y = Aᵀ ((G g Gᵀ) ⊙ (Bᵀ d B)) A,   its gradient for g:   Gᵀ ((A dY Aᵀ) ⊙ (Bᵀ d B)) G
///
/// Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016, section 4.1. Sums are float32. A dilated
/// convolution is several plain ones, see `WinogradTiles`.
/// In bfloat16 the transformed numbers are rounded once more than the maps are, which makes an output's error about
/// twice that of a direct convolution.
public struct WinogradConvolution: KernelEngine {
    public let name = "Winograd"

    public init() {}

    /// Whether this engine computes `geometry`; it is fast where the processor has the kernels.
    public static func computes(_ geometry: ConvolutionGeometry) -> Bool {
        geometry.kernel == 3 && geometry.stride == 1 && geometry.fitsPanels
            && max(geometry.padding, geometry.paddingAfter) <= 2 * geometry.dilation
    }

    /// Whether it multiplies less often than products of patches do, and with dilation at most two thirds as often: tiles may
    /// stand over edges, and what is taken back to a wider border has more of them.
    static func saves(_ geometry: ConvolutionGeometry, _ direction: ConvolutionDirection) -> Bool {
        let tiles = WinogradTiles(geometry, backward: direction == .data).count
        let (own, others) = (16 * tiles, 9 * geometry.outputPixels)
        return geometry.dilation == 1 ? own < others : 3 * own <= 2 * others
    }

    public func kernels(_ geometry: ConvolutionGeometry, _ type: ElementType) -> any ConvolutionKernels {
        switch type {
        case .float32: WinogradProducts<Float>(geometry)
        case .bfloat16: WinogradProducts<BFloat16>(geometry)
        }
    }
}

private struct WinogradProducts<E: KernelElement>: ConvolutionKernels {
    private let geometry: ConvolutionGeometry
    private var inputs: Int { geometry.inputChannels }
    private var outputs: Int { geometry.outputChannels }

    init(_ geometry: ConvolutionGeometry) {
        precondition(
            WinogradConvolution.computes(geometry),
            "Winograd's convolution in \(E.elementType) cannot compute \(geometry)")
        self.geometry = geometry
    }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let tiles = WinogradTiles(geometry)
        let packed = packs.packed(weight, layout: .winograd(E.elementType), sweeps: sweeps(tiles, depth: inputs)) {
            let panels = PlacePanels(channels: outputs, depth: inputs / E.depthPerWord)
            E.winograd.pack_transposed(
                weight.pointer, inputs, 9 * inputs, inputs, outputs, panels[0], panels.placeStride,
                panels.depth * panelColumns)
            return panels.words
        }
        convolve(tiles, input, inputs, packed, output, outputs, accumulate: false)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        // A convolution with the kernels turned by 180 degrees and their channels exchanged.
        let tiles = WinogradTiles(geometry, backward: true)
        let packed = packs.packed(
            weight, layout: .winogradTurned(E.elementType), sweeps: sweeps(tiles, depth: outputs)
        ) {
            let panels = PlacePanels(channels: inputs, depth: outputs / E.depthPerWord)
            for d in stride(from: 0, to: outputs, by: 2) {
                // The taps of a turned kernel in order are those of the kernel from the last one back.
                E.winograd.pack_weights(
                    weight.pointer + (9 * d + 8) * inputs, -inputs, 9 * inputs, inputs,
                    panels[0] + d / E.depthPerWord * panelColumns, panels.placeStride, panels.depth * panelColumns)
            }
            return panels.words
        }
        convolve(tiles, outputGradient, outputs, packed, inputGradient, inputs, accumulate: accumulate)
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        let tiles = WinogradTiles(geometry)
        // Enough tiles to outweigh adding to the products.
        let bytes = 16 * (inputs + outputs) * E.elementType.byteCount
        let blocks = Array(tiles.blocks(max(256, Self.cachedBytes / bytes) / 2 * 2))
        // All products are kept over several blocks: of no more inputs at a time than let little be made again of the outputs.
        let turns = blocks.count == 1 ? 1 : max(inputs / (2 * outputs), 1)
        let inputsAtOnce = (inputs / turns + panelColumns - 1) / panelColumns * panelColumns
        for first in stride(from: 0, to: inputs, by: inputsAtOnce) {
            differentiate(
                first..<min(first + inputsAtOnce, inputs), tiles, blocks, input, outputGradient, weightGradient,
                accumulate: accumulate)
        }
    }

    /// The gradients for the weights of some inputs.
    private func differentiate(
        _ channels: Range<Int>, _ tiles: WinogradTiles, _ blocks: [Range<Int>], _ input: Tensor,
        _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool
    ) {
        // Many channels have few tiles: a panel of outputs is then finished while its products are in cache.
        let outputsAtOnce = blocks.count == 1 ? panelColumns : outputs
        let products = Tensor([16, outputsAtOnce, channels.count])
        for block in blocks {
            let depth = (block.count + 1) / 2 * 2 / E.depthPerWord
            let x = PlacePanels(channels: channels.count, depth: depth)
            let dy = PlacePanels(channels: outputs, depth: depth)
            tiles.transformInputs(input.elements(E.self), inputs, block, channels: channels, into: x)
            tiles.transformGradients(outputGradient.elements(E.self), outputs, block, into: dy)
            let next = MemoryAhead(
                channels.count < inputs ? 0..<0 : tiles.pixels(after: block), input.elements(E.self), inputs,
                outputGradient.elements(E.self), outputs)
            for first in stride(from: 0, to: outputs, by: outputsAtOnce) {
                multiply(
                    dy, x, outputs: first..<first + outputsAtOnce, next, products, accumulate: block.lowerBound > 0)
                guard block.upperBound == blocks.last!.upperBound else { continue }
                for output in 0..<outputsAtOnce {
                    E.winograd.weight_gradient(
                        products.pointer + output * channels.count, outputsAtOnce * channels.count, channels.count,
                        weightGradient.pointer + (first + output) * 9 * inputs + channels.lowerBound, inputs,
                        accumulate)
                }
            }
        }
    }

    /// products (place, output, input) ← the sums over tiles of some outputs' gradients by the inputs of `x`.
    private func multiply(
        _ dy: PlacePanels, _ x: PlacePanels, outputs: Range<Int>, _ next: MemoryAhead, _ products: Tensor,
        accumulate: Bool
    ) {
        let panels = outputs.count / panelColumns, inputs = products.shape[2], depth = x.depth
        for place in 0..<16 {
            for panel in 0..<panels {
                var shape = kernels_product(
                    rows: panelColumns, columns: inputs, depth: depth, rowStride: 1, depthStride: panelColumns,
                    resultStride: inputs, accumulate: accumulate)
                shape.fetch(next, part: place * panels + panel, of: 16 * panels)
                E.multiply(
                    shape, dy[place] + (outputs.lowerBound + panel * panelColumns) * depth, x[place],
                    sums: products.pointer + (place * outputs.count + panel * panelColumns) * inputs)
            }
        }
    }

    /// output ← input ∗ packed weights, block by block of tiles and channels.
    private func convolve(
        _ tiles: WinogradTiles, _ input: Tensor, _ inputs: Int, _ packed: Tensor, _ output: Tensor, _ outputs: Int,
        accumulate: Bool
    ) {
        let depth = inputs / E.depthPerWord
        let width = min(outputs, 2 * panelColumns)
        let weights = PlacePanels(packed, depth: depth)
        for block in tiles.blocks(tilesAtOnce(depth: inputs)) {
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
                var shape = kernels_product(
                    rows: block.count, columns: columns, depth: depth, rowStride: depth, depthStride: 1,
                    resultStride: width)
                for place in 0..<16 {
                    shape.fetch(next, part: column / width * 16 + place, of: (outputs + width - 1) / width * 16)
                    E.multiply(
                        shape, x.pointer + place * xStride, weights[place] + column * depth,
                        sums: y.pointer + place * yStride)
                }
                tiles.transformOutputs(
                    y.pointer, stride: yStride, rowStride: width, block, channels: column..<column + columns,
                    of: outputs, into: output.elements(E.self), accumulate: accumulate)
            }
        }
    }

    /// Tiles of so many channels that stay in cache while all weights pass by; more where the weights come from memory.
    private func tilesAtOnce(depth: Int) -> Int {
        let isLarge = 16 * inputs * outputs * E.elementType.byteCount > MemoryTraffic.cacheShare
        return max(isLarge ? 140 : 56, Self.cachedBytes / (16 * depth * E.elementType.byteCount)) / 14 * 14
    }

    /// How often the weights are read for all tiles.
    private func sweeps(_ tiles: WinogradTiles, depth: Int) -> Int {
        Array(tiles.blocks(tilesAtOnce(depth: depth))).count
    }

    /// Bytes of transformed tiles that stay in a core's cache until they are used again.
    private static var cachedBytes: Int { 448 << 10 }
}
