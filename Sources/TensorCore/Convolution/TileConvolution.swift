import CKernels

/// Convolution of bfloat16 maps in tiles of 16 rows × 64 bytes, as AMX multiplies them: sums are float32, pairs of
/// channels deep, and rounded once.
///
/// 1×1 kernels read the maps as they lie; others from a copy in which every tap is a shift of the rows. Small maps share
/// tiles, whose heights suit the rows that there are.
public struct TileConvolution: KernelEngine {
    public let name: String
    /// So many that the weights of late layers, which stay in no cache, are read for all images of a usual batch at once.
    public let leastPixels = 512
    public var leastGradientPixels: Int { tilePixelsAtOnce }
    private let table: TileTable

    /// On the processor's unit, if it has one and the system lets this process use it.
    public static let unit: TileConvolution? = TileTable(kernels_amx).map { TileConvolution("tiles of AMX", $0) }

    /// On a model of it that any machine computes, bit for bit: for tests.
    public static let model = TileConvolution("modelled tiles", TileTable(kernels_tile_model)!)

    private init(_ name: String, _ table: TileTable) { (self.name, self.table) = (name, table) }

    /// Whether this engine computes `geometry` in bfloat16.
    public static func computes(_ geometry: ConvolutionGeometry, _ direction: ConvolutionDirection) -> Bool {
        guard geometry.outputChannels % panelColumns == 0 else { return false }
        return geometry.inputChannels % panelColumns == 0
            || (direction != .data && LoweredTileProducts.computes(geometry))
    }

    public func kernels(_ geometry: ConvolutionGeometry, _ type: ElementType) -> any ConvolutionKernels {
        precondition(type == .bfloat16, "tiles multiply bfloat16 maps, not \(type)")
        return geometry.inputChannels % panelColumns == 0
            ? TileProducts(geometry, table) : LoweredTileProducts(geometry, table)
    }
}

/// The table behind tiles.
struct TileTable: @unchecked Sendable {
    // @unchecked: it never changes.
    let tiles: tile_kernels

    init?(_ set: kernels_set) {
        guard let table = kernels_find(set, kernels_bfloat16)?.pointee else { return nil }
        tiles = table.tiles.pointee
    }

    /// `weights`, float32 depth × columns or transposed, in panels of bfloat16.
    func packed(_ weights: Tensor, depth: Int, columns: Int, isTransposed: Bool) -> Tensor {
        let target = Tensor([depth / 2 * columns])
        let pack = isTransposed ? tiles.pack_transposed : tiles.pack_weights
        pack!(weights.pointer, depth, columns, target.bytes)
        return target
    }

    /// target ← source · weights over the taps of `part`; taps begin at `rows` of the source and `panels` of the weights.
    func multiply(
        _ shape: kernels_tile_product, rows: [Int], panels: [Int], pixels: [Int32]?
    ) {
        var shape = shape
        shape.taps = rows.count
        let bytes = rows.map { $0 * shape.row_bytes }
        bytes.withUnsafeBufferPointer { bytes in
            panels.withUnsafeBufferPointer { panels in
                (shape.tap_bytes, shape.tap_panels) = (bytes.baseAddress!, panels.baseAddress!)
                guard let pixels else { return tiles.multiply(&shape) }
                pixels.withUnsafeBufferPointer {
                    shape.pixels = $0.baseAddress!
                    tiles.multiply(&shape)
                }
            }
        }
    }
}

/// Kernels over maps whose channels fill tiles.
private struct TileProducts: ConvolutionKernels {
    private let geometry: ConvolutionGeometry
    private let table: TileTable
    private var inputs: Int { geometry.inputChannels }
    private var outputs: Int { geometry.outputChannels }
    private var taps: Int { geometry.kernel * geometry.kernel }

    init(_ geometry: ConvolutionGeometry, _ table: TileTable) { (self.geometry, self.table) = (geometry, table) }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let weights = packs.packed(weight, layout: .tiles) {
            table.packed(weight, depth: taps * inputs, columns: outputs, isTransposed: true)
        }
        let bytes = inputs / 2 * tilePanelBytes
        multiply(
            TilePlan.forward(geometry), input, inputs, weights, panelBytes: taps * bytes, tapBytes: bytes, output,
            outputs, accumulate: false)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        let weights = packs.packed(weight, layout: .transposedTiles) {
            table.packed(weight, depth: outputs, columns: taps * inputs, isTransposed: false)
        }
        let plan = TilePlan.gradient(geometry), bytes = outputs / 2 * tilePanelBytes
        // Pixels that no output saw are written by no part.
        if !accumulate, plan.parts.count < geometry.stride * geometry.stride {
            inputGradient.elements(BFloat16.self).update(repeating: BFloat16(bits: 0), count: inputGradient.count)
        }
        multiply(
            plan, outputGradient, outputs, weights, panelBytes: bytes, tapBytes: inputs / tileColumns * bytes,
            inputGradient, inputs, accumulate: accumulate)
    }

    private func multiply(
        _ plan: TilePlan, _ source: Tensor, _ depth: Int, _ weights: Tensor, panelBytes: Int, tapBytes: Int,
        _ target: Tensor, _ columns: Int, accumulate: Bool
    ) {
        let rows = plan.gathered(source, channels: depth)
        for part in plan.parts {
            let shape = kernels_tile_product(
                source: rows.bytes, row_bytes: 2 * depth, runs: part.runs, run_stride: part.runStride,
                rows: part.rows, taps: 0, tap_bytes: nil, tap_panels: nil, depth: depth, weights: weights.bytes,
                panel_bytes: panelBytes, columns: columns,
                target: target.bytes, pixels: nil, accumulate: accumulate)
            table.multiply(
                shape, rows: part.taps.map(plan.first), panels: part.taps.map { $0.weight * tapBytes },
                pixels: part.pixels)
        }
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        var gradients = TileGradients(
            table, into: weightGradient, outputs: outputs, columns: inputs, accumulate: accumulate)
        let x = input.elements(BFloat16.self), dy = outputGradient.elements(BFloat16.self)
        if TilePlan.forward(geometry.withBatch(1)).sources == nil {
            let tap = [TilePlan.Tap(weight: 0, phase: 0, shift: 0)]
            let pixels = geometry.batch * geometry.height * geometry.width
            for first in stride(from: 0, to: pixels, by: tilePixelsAtOnce) {
                let count = min(tilePixelsAtOnce, pixels - first)
                gradients.add(
                    tap, count, [TileRows(map: x + first * inputs, stride: inputs, pixels: nil)],
                    TileRows(map: dy + first * outputs, stride: outputs, pixels: nil))
            }
            return
        }
        let images = max(1, tilePixelsAtOnce / TilePlan.forward(geometry.withBatch(1)).count)
        for first in stride(from: 0, to: geometry.batch, by: images) {
            let part = geometry.withBatch(min(images, geometry.batch - first))
            let plan = TilePlan.forward(part)
            let x = x + first * geometry.height * geometry.width * inputs
            let dy = dy + first * geometry.outputHeight * geometry.outputWidth * outputs
            gradients.add(
                plan.parts[0].taps, plan.count,
                plan.sources!.map { TileRows(map: x, stride: inputs, pixels: $0) },
                TileRows(map: dy, stride: outputs, pixels: plan.parts[0].pixels))
        }
    }
}

/// Columns and bytes of a panel's rows, and pixels whose factors stay in cache.
let tileColumns = Int(kernels_tile_columns)
let tilePanelBytes = 4 * tileColumns
let tilePixelsAtOnce = 1024
