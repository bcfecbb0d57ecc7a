import CAVX512

/// 1×1 convolution as products of pixels × channels, rounded to the map's type where they are summed.
public struct PointwiseConvolution: ConvolutionEngine {
    public let name = "products"

    public init() {}

    /// Whether this engine computes `geometry`, on this processor.
    public static func computes(_ geometry: ConvolutionGeometry, _ type: ElementType) -> Bool {
        geometry.isPointwise && geometry.inputChannels % panelColumns == 0
            && geometry.outputChannels % panelColumns == 0
            && (type == .float32 ? Float.isMultiplied : BFloat16.isMultiplied)
    }

    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
    ) {
        switch input.elementType {
        case .float32: PointwiseProducts<Float>(geometry).forward(input, weight, packs, output)
        case .bfloat16: PointwiseProducts<BFloat16>(geometry).forward(input, weight, packs, output)
        }
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool
    ) {
        switch inputGradient.elementType {
        case .float32:
            PointwiseProducts<Float>(geometry)
                .backwardData(outputGradient, weight, packs, inputGradient, accumulate: accumulate)
        case .bfloat16:
            PointwiseProducts<BFloat16>(geometry)
                .backwardData(outputGradient, weight, packs, inputGradient, accumulate: accumulate)
        }
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        switch input.elementType {
        case .float32:
            PointwiseProducts<Float>(geometry)
                .backwardWeights(input, outputGradient, weightGradient, accumulate: accumulate)
        case .bfloat16:
            PointwiseProducts<BFloat16>(geometry)
                .backwardWeights(input, outputGradient, weightGradient, accumulate: accumulate)
        }
    }
}

/// The three directions of one geometry, on the calling thread.
private struct PointwiseProducts<E: ProductElement> {
    private let pixels: Int
    private let inputs: Int
    private let outputs: Int

    init(_ geometry: ConvolutionGeometry) {
        precondition(
            PointwiseConvolution.computes(geometry, E.elementType),
            "products in \(E.elementType) cannot compute \(geometry)")
        pixels = geometry.batch * geometry.height * geometry.width
        (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let packed = packs.packed(weight, layout: .pointwise(E.elementType)) {
            let transposed = Tensor([inputs, outputs])
            transpose(weight.pointer, rows: outputs, columns: inputs, rowStride: inputs, into: transposed.pointer)
            return pack(transposed, depth: inputs, columns: outputs)
        }
        multiply(input, inputs, packed, output, outputs, accumulate: false)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        let packed = packs.packed(weight, layout: .pointwiseTransposed(E.elementType)) {
            pack(weight, depth: outputs, columns: inputs)
        }
        multiply(outputGradient, outputs, packed, inputGradient, inputs, accumulate: accumulate)
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        // As many pixels as stay in cache, but enough to outweigh adding to the gradient.
        let bytes = (inputs + outputs) * E.elementType.byteCount
        let most = max(256, (320 << 10) / bytes) / 2 * 2
        let panelX = Tensor([inputs * most]), panelDY = Tensor([outputs * most])
        let x = input.elements(E.self), dy = outputGradient.elements(E.self)
        for first in stride(from: 0, to: pixels, by: most) {
            let count = min(most, pixels - first), depth = (count + 1) / 2 * 2 / E.depthPerWord
            packPanels(x + first * inputs, depth: count, columns: inputs, as: E.self, into: panelX.pointer)
            packPanels(dy + first * outputs, depth: count, columns: outputs, as: E.self, into: panelDY.pointer)
            let next = MemoryAhead(first + count..<min(first + count + most, pixels), x, inputs, dy, outputs)
            let panels = outputs / panelColumns
            for panel in 0..<panels {
                var shape = cavx512_product(
                    rows: panelColumns, columns: inputs, depth: depth, rowStride: 1, depthStride: panelColumns,
                    resultStride: inputs, accumulate: accumulate || first > 0)
                shape.fetch(next, part: panel, of: panels)
                let row = panel * panelColumns
                E.multiply(
                    shape, panelDY.pointer + row * depth, panelX.pointer, sums: weightGradient.pointer + row * inputs)
            }
        }
    }

    private func pack(_ matrix: Tensor, depth: Int, columns: Int) -> Tensor {
        let packed = Tensor([depth / E.depthPerWord * columns])
        packPanels(matrix.pointer, depth: depth, columns: columns, as: E.self, into: packed.pointer)
        return packed
    }

    /// output ← input·packed, or added to what is there.
    private func multiply(
        _ input: Tensor, _ depth: Int, _ packed: Tensor, _ output: Tensor, _ columns: Int, accumulate: Bool
    ) {
        let words = depth / E.depthPerWord
        // Rows at such strides would share the lines of the nearest cache: a line more between them.
        let isMoved = words.isMultiple(of: 512), stride = isMoved ? words + 16 : words
        let most = 56, moved = Tensor([isMoved ? most * stride : 0])
        let x = input.elements(E.self), y = output.elements(E.self)
        // Few rows at a time: they are read, and written to, while they are in the nearest caches.
        for first in Swift.stride(from: 0, to: pixels, by: most) {
            let count = min(most, pixels - first)
            var rows = UnsafeRawPointer(x + first * depth)
            if isMoved {
                for row in 0..<count {
                    let source = (x + (first + row) * depth).withMemoryRebound(to: Float.self, capacity: words) { $0 }
                    (moved.pointer + row * stride).update(from: source, count: words)
                }
                rows = UnsafeRawPointer(moved.pointer)
            }
            var shape = cavx512_product(
                rows: count, columns: columns, depth: words, rowStride: stride, depthStride: 1, resultStride: columns,
                accumulate: accumulate)
            shape.fetch(MemoryAhead(first + count..<min(first + count + most, pixels), x, depth, y, columns))
            E.multiply(shape, rows, packed.pointer, into: y + first * columns)
        }
    }
}
