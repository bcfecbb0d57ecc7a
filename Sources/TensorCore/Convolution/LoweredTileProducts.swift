import CKernels

/// Kernels for first layers, whose few channels fill no tile: a row of the kernel's taps, whose pixels lie together, is
/// one tap of so many channels. The weights behind them are 0.
struct LoweredTileProducts: ConvolutionKernels {
    private let geometry: ConvolutionGeometry
    private let table: TileTable
    private let rows: TapAxis
    private let pitch: Int
    private var kernel: Int { geometry.kernel }
    private var outputs: Int { geometry.outputChannels }
    /// Elements of a row of taps, and of the room that it has.
    private var width: Int { kernel * geometry.inputChannels }
    private var room: Int { panelColumns }
    /// Elements from an output's pixels to those of its neighbour.
    private var step: Int { geometry.stride * geometry.inputChannels }

    static func computes(_ geometry: ConvolutionGeometry) -> Bool {
        geometry.kernel * geometry.inputChannels <= panelColumns && geometry.dilation == 1
    }

    init(_ geometry: ConvolutionGeometry, _ table: TileTable) {
        precondition(
            TileConvolution.computes(geometry, .forward), "tiles cannot compute \(geometry)")
        (self.geometry, self.table) = (geometry, table)
        rows = TapAxis(forward: geometry, input: geometry.height, output: geometry.outputHeight)
        let reach = geometry.width + geometry.padding + geometry.paddingAfter
        pitch = max(geometry.outputWidth, (reach + geometry.stride - 1) / geometry.stride)
    }

    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor) {
        let weights = packs.packed(weight, layout: .loweredTiles) {
            let wide = Tensor.zeros([outputs, kernel, room])
            for row in 0..<outputs * kernel {
                (wide.pointer + row * room).update(from: weight.pointer + row * width, count: width)
            }
            return table.packed(wide, depth: kernel * room, columns: outputs, isTransposed: true)
        }
        let lowered = lower(input), panelBytes = room / 2 * tilePanelBytes
        let shape = kernels_tile_product(
            source: lowered.bytes, row_bytes: 2 * step, runs: 1, run_stride: 0, rows: count, taps: 0, tap_bytes: nil,
            tap_panels: nil,
            depth: room, weights: weights.bytes, panel_bytes: kernel * panelBytes, columns: outputs,
            target: output.bytes, pixels: nil, accumulate: false)
        table.multiply(
            shape, rows: rows.taps.map { $0.phase * phaseRows + margin + $0.shift * pitch },
            panels: rows.taps.map { $0.index * panelBytes }, pixels: pixels)
    }

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool
    ) {
        preconditionFailure("tiles compute no gradient for the pixels of \(geometry)")
    }

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool) {
        let wide = Tensor([outputs, kernel, room])
        var gradients = TileGradients(table, into: wide, outputs: outputs, columns: room, accumulate: false)
        let taps = rows.taps.map { TilePlan.Tap(weight: $0.index, phase: $0.phase, shift: $0.shift * pitch) }
        for image in 0..<geometry.batch {
            let one = LoweredTileProducts(geometry.withBatch(1), table)
            let lowered = one.lower(input.rows(image..<image + 1))
            let phases = (0..<rows.step).map { phase in
                let first = (phase * one.phaseRows + one.margin) * step
                return TileRows(map: lowered.elements(BFloat16.self) + first, stride: step, pixels: nil)
            }
            let gradient = outputGradient.rows(image..<image + 1).elements(BFloat16.self)
            gradients.add(
                taps, one.count, phases, TileRows(map: gradient, stride: outputs, pixels: one.pixels))
        }
        for row in 0..<outputs * kernel {
            let source = wide.pointer + row * room, target = weightGradient.pointer + row * width
            for i in 0..<width { target[i] = (accumulate ? target[i] : 0) + source[i] }
        }
    }

    private var count: Int { geometry.batch * rows.pitch * pitch }
    private var margin: Int { (rows.taps.map { abs($0.shift) }.max()! + 1) * pitch }
    /// From a phase to the next one.
    private var phaseRows: Int { count + 2 * margin }

    /// The pixel of each row, −1 for none.
    private func makePixels() -> [Int32] {
        (0..<count).map { row in
            let x = row % pitch, y = row / pitch % rows.pitch, image = row / pitch / rows.pitch
            guard y < geometry.outputHeight, x < geometry.outputWidth else { return -1 }
            let line = image * geometry.outputHeight + y
            return Int32(line * geometry.outputWidth + x)
        }
    }

    private static let tables = ShapeCache<ConvolutionGeometry, [Int32]>()

    private var pixels: [Int32] { Self.tables.value(geometry, makePixels) }

    /// The map's rows, in a phase for each of `stride` rows, with zeros around them.
    private func lower(_ input: Tensor) -> Tensor {
        let channels = geometry.inputChannels, rowLength = pitch * step
        let lowered = Tensor.zeros([rows.step * phaseRows * step + room], .bfloat16)
        let source = input.elements(BFloat16.self), target = lowered.elements(BFloat16.self)
        for image in 0..<geometry.batch {
            for y in 0..<geometry.height where y / rows.step < rows.stored {
                let place = y % rows.step * phaseRows + margin + (image * rows.pitch + y / rows.step) * pitch
                let row = target + place * step + geometry.padding * channels
                row.update(
                    from: source + (image * geometry.height + y) * geometry.width * channels,
                    count: min(geometry.width * channels, rowLength - geometry.padding * channels))
            }
        }
        return lowered
    }
}
