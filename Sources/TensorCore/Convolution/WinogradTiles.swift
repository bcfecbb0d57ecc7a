import CKernels

/// The 2×2 tiles of a map and the passes between the map and transformed tiles.
///
/// Tiles are counted over images, rows and columns; those at an odd map's edge stand over it.
struct WinogradTiles {
    private let height: Int
    private let width: Int
    private let tileRows: Int
    private let tileColumns: Int
    private let count: Int

    init(_ geometry: ConvolutionGeometry) {
        (height, width) = (geometry.height, geometry.width)
        (tileRows, tileColumns) = ((height + 1) / 2, (width + 1) / 2)
        count = geometry.batch * tileRows * tileColumns
    }

    /// All tiles in runs of nearly equal length, of an even number of tiles and at most `most`.
    func blocks(_ most: Int) -> some Sequence<Range<Int>> {
        let blocks = (count + most - 1) / most
        let size = ((count + blocks - 1) / blocks + 1) / 2 * 2
        return stride(from: 0, to: count, by: size).lazy.map { $0..<min($0 + size, count) }
    }

    /// The pixels of the rows under `block`'s successor of the same length.
    func pixels(after block: Range<Int>) -> Range<Int> {
        func firstPixel(_ tile: Int) -> Int {
            let (image, y, _) = origin(min(tile, count))
            return (image * height + min(y, height)) * width
        }
        return firstPixel(block.upperBound)..<firstPixel(block.upperBound + block.count)
    }

    /// The image and pixel of a tile's first output.
    private func origin(_ tile: Int) -> (image: Int, y: Int, x: Int) {
        let row = tile / tileColumns
        return (row / tileRows, row % tileRows * 2, tile % tileColumns * 2)
    }

    /// Pointers to the `side`² pixels from `offset` before a tile's first output on, row by row; to `zeros` outside the
    /// map and beyond the last tile.
    @inline(__always)
    private func find<E>(
        _ tile: Int, side: Int, offset: Int, _ map: UnsafePointer<E>, _ channels: Int, _ zeros: UnsafeRawPointer,
        _ pixels: UnsafeMutablePointer<UnsafeRawPointer?>
    ) {
        let (image, firstY, firstX) = origin(tile)
        for r in 0..<side {
            let y = firstY + r - offset
            for c in 0..<side {
                let x = firstX + c - offset
                let inside = tile < count && y >= 0 && y < height && x >= 0 && x < width
                let pixel = UnsafeRawPointer(map + ((image * height + y) * width + x) * channels)
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
                find(tile, side: 4, offset: 1, map, channels, zeros, pixels)
                let row = target + (tile - tiles.lowerBound) * channels
                E.winograd.input(pixels, channels, row, stride)
            }
        }
    }

    /// The same into panels whose depth are the tiles.
    func transformInputs<E: KernelElement>(
        _ map: UnsafePointer<E>, _ channels: Int, _ tiles: Range<Int>, into panels: PlacePanels
    ) {
        transform(map, channels, tiles, side: 4, offset: 1, E.winograd.input_to_panels, panels)
    }

    /// A dY Aᵀ of each tile into the same panels.
    func transformGradients<E: KernelElement>(
        _ map: UnsafePointer<E>, _ channels: Int, _ tiles: Range<Int>, into panels: PlacePanels
    ) {
        transform(map, channels, tiles, side: 2, offset: 0, E.winograd.gradient_to_panels, panels)
    }

    private typealias ToPanels =
        @convention(c) (
            _ pixels: UnsafePointer<UnsafeRawPointer?>?, _ channels: Int, _ words: UnsafeMutablePointer<Float>?,
            _ stride: Int, _ panelStride: Int
        ) -> Void

    private func transform<E: KernelElement>(
        _ map: UnsafePointer<E>, _ channels: Int, _ tiles: Range<Int>, side: Int, offset: Int,
        _ kernel: ToPanels, _ panels: PlacePanels
    ) {
        withPointers(2 * side * side, channels, E.self) { pixels, zeros in
            for tile in Swift.stride(from: tiles.lowerBound, to: tiles.upperBound, by: 2) {
                find(tile, side: side, offset: offset, map, channels, zeros, pixels)
                find(tile + 1, side: side, offset: offset, map, channels, zeros, pixels + side * side)
                let depthRow = (tile - tiles.lowerBound) / E.depthPerWord
                kernel(
                    pixels, channels, panels[0] + depthRow * panelColumns, panels.placeStride,
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
                let first = map + ((image * height + y) * width + x) * mapChannels + channels.lowerBound
                let hasRight = x + 1 < width, hasBottom = y + 1 < height
                pixels[0] = UnsafeMutableRawPointer(first)
                pixels[1] = hasRight ? UnsafeMutableRawPointer(first + mapChannels) : nil
                pixels[2] = hasBottom ? UnsafeMutableRawPointer(first + width * mapChannels) : nil
                pixels[3] = hasRight && hasBottom ? UnsafeMutableRawPointer(first + (width + 1) * mapChannels) : nil
                E.winograd.output(
                    products + (tile - tiles.lowerBound) * rowStride, stride, channels.count, pixels.baseAddress!,
                    accumulate)
            }
        }
    }
}
