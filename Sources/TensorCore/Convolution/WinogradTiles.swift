import CKernels

/// The tiles of 2×2 outputs of a 3×3 convolution of stride 1, and the passes between maps and transformed tiles.
///
/// A convolution that is dilated by d is d² plain ones, each of every d-th row and column: the pixels of a tile are d apart.
/// Tiles are counted over images, rows and columns; some stand over the edge of the map.
struct WinogradTiles {
    private typealias Extent = (height: Int, width: Int)

    private let inputs, outputs: Extent
    private let padding, dilation: Int
    /// Of each of the plain convolutions.
    private let tileRows, tileColumns: Int
    let count: Int

    /// Of a convolution, or of the one that takes its outputs' gradients back to its inputs: turned kernels, and as many
    /// zeros around as make up what is missing.
    init(_ geometry: ConvolutionGeometry, backward: Bool = false) {
        let input: Extent = (geometry.height, geometry.width)
        let output: Extent = (geometry.outputHeight, geometry.outputWidth)
        let dilation = geometry.dilation
        func tiles(_ side: Int) -> Int { ((side + dilation - 1) / dilation + 1) / 2 }
        self.dilation = dilation
        (inputs, outputs) = backward ? (output, input) : (input, output)
        padding = backward ? 2 * dilation - geometry.padding : geometry.padding
        (tileRows, tileColumns) = (tiles(outputs.height), tiles(outputs.width))
        count = geometry.batch * tileRows * tileColumns * dilation * dilation
    }

    /// All tiles in runs of nearly equal length, of an even number of tiles and at most `most`.
    func blocks(_ most: Int) -> some Sequence<Range<Int>> {
        let blocks = (count + most - 1) / most
        let size = ((count + blocks - 1) / blocks + 1) / 2 * 2
        return stride(from: 0, to: count, by: size).lazy.map { $0..<min($0 + size, count) }
    }

    /// The pixels of the rows under `block`'s successor of the same length, where inputs and outputs have the same; none
    /// where they lie apart.
    func pixels(after block: Range<Int>) -> Range<Int> {
        guard dilation == 1, inputs == outputs else { return 0..<0 }
        func firstPixel(_ tile: Int) -> Int {
            let (image, y, _) = origin(min(tile, count))
            return (image * outputs.height + min(y, outputs.height)) * outputs.width
        }
        return firstPixel(block.upperBound)..<firstPixel(block.upperBound + block.count)
    }

    /// The image and pixel of a tile's first output.
    private func origin(_ tile: Int) -> (image: Int, y: Int, x: Int) {
        /// Of the tiles of every d-th row, or column.
        func place(_ index: Int, _ tiles: Int) -> Int { index / tiles + index % tiles * 2 * dilation }
        let columns = tileColumns * dilation, rows = tileRows * dilation, row = tile / columns
        return (row / rows, place(row % rows, tileRows), place(tile % columns, tileColumns))
    }

    /// Pointers to the `side`² pixels from `offset` before a tile's first output on, row by row; to `zeros` outside the
    /// map and beyond the last tile.
    @inline(__always)
    private func find<E>(
        _ tile: Int, side: Int, offset: Int, _ map: UnsafePointer<E>, _ extent: Extent, _ channels: Int,
        _ zeros: UnsafeRawPointer, _ pixels: UnsafeMutablePointer<UnsafeRawPointer?>
    ) {
        let (image, firstY, firstX) = origin(tile)
        for r in 0..<side {
            let y = firstY + r * dilation - offset
            for c in 0..<side {
                let x = firstX + c * dilation - offset
                let inside = tile < count && y >= 0 && y < extent.height && x >= 0 && x < extent.width
                let pixel = UnsafeRawPointer(map + ((image * extent.height + y) * extent.width + x) * channels)
                pixels[r * side + c] = inside ? pixel : zeros
            }
        }
    }

    /// Calls `body` with room for `count` pointers and with a pixel of zeros.
    private func withPointers<E: KernelElement>(
        _ count: Int, _ channels: Int, _: E.Type,
        _ body: (UnsafeMutablePointer<UnsafeRawPointer?>, UnsafeRawPointer) -> Void
    ) {
        let zeros = Tensor.zeros([channels], E.elementType)
        withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: count) {
            body($0.baseAddress!, zeros.bytes)
        }
    }

    /// Bᵀ d B of each tile: place, tile, channel; places `stride` elements apart.
    func transformInputs<E: KernelElement>(
        _ map: UnsafePointer<E>, _ channels: Int, _ tiles: Range<Int>, _ target: UnsafeMutablePointer<E>, stride: Int
    ) {
        withPointers(16, channels, E.self) { pixels, zeros in
            for tile in tiles {
                find(tile, side: 4, offset: padding, map, inputs, channels, zeros, pixels)
                let row = target + (tile - tiles.lowerBound) * channels
                E.winograd.input(pixels, channels, row, stride)
            }
        }
    }

    /// The same of some channels into panels whose depth are the tiles.
    func transformInputs<E: KernelElement>(
        _ map: UnsafePointer<E>, _ mapChannels: Int, _ tiles: Range<Int>, channels: Range<Int>, into panels: PlacePanels
    ) {
        transform(
            map, inputs, mapChannels, channels, tiles, side: 4, offset: padding, E.winograd.input_to_panels, panels)
    }

    /// A dY Aᵀ of each tile into the same panels.
    func transformGradients<E: KernelElement>(
        _ map: UnsafePointer<E>, _ channels: Int, _ tiles: Range<Int>, into panels: PlacePanels
    ) {
        transform(
            map, outputs, channels, 0..<channels, tiles, side: 2, offset: 0, E.winograd.gradient_to_panels, panels)
    }

    private typealias ToPanels =
        @convention(c) (
            _ pixels: UnsafePointer<UnsafeRawPointer?>?, _ channels: Int, _ words: UnsafeMutablePointer<Float>?,
            _ stride: Int, _ panelStride: Int
        ) -> Void

    private func transform<E: KernelElement>(
        _ map: UnsafePointer<E>, _ extent: Extent, _ mapChannels: Int, _ channels: Range<Int>, _ tiles: Range<Int>,
        side: Int, offset: Int, _ kernel: ToPanels, _ panels: PlacePanels
    ) {
        let map = map + channels.lowerBound
        withPointers(2 * side * side, channels.count, E.self) { pixels, zeros in
            for tile in Swift.stride(from: tiles.lowerBound, to: tiles.upperBound, by: 2) {
                find(tile, side: side, offset: offset, map, extent, mapChannels, zeros, pixels)
                find(tile + 1, side: side, offset: offset, map, extent, mapChannels, zeros, pixels + side * side)
                let depthRow = (tile - tiles.lowerBound) / E.depthPerWord
                kernel(
                    pixels, channels.count, panels[0] + depthRow * panelColumns, panels.placeStride,
                    panels.depth * panelColumns)
            }
        }
    }

    /// Aᵀ M A of each tile: `channels` of the map from products place, tile, channel; places `stride` apart, tiles
    /// `rowStride`.
    func transformOutputs<E: KernelElement>(
        _ products: UnsafePointer<Float>, stride: Int, rowStride: Int, _ tiles: Range<Int>, channels: Range<Int>,
        of mapChannels: Int, into map: UnsafeMutablePointer<E>, accumulate: Bool
    ) {
        withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: 4) { pixels in
            for tile in tiles {
                let (image, y, x) = origin(tile)
                for place in 0..<4 {
                    let y = y + place / 2 * dilation, x = x + place % 2 * dilation
                    let pixel = map + ((image * outputs.height + y) * outputs.width + x) * mapChannels
                    pixels[place] =
                        y < outputs.height && x < outputs.width
                        ? UnsafeMutableRawPointer(pixel + channels.lowerBound) : nil
                }
                E.winograd.output(
                    products + (tile - tiles.lowerBound) * rowStride, stride, channels.count, pixels.baseAddress!,
                    accumulate)
            }
        }
    }
}
