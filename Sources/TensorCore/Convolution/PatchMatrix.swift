/// The matrix whose rows are the patches that a convolution sees, one for each output pixel, unfolded tile by tile.
///
/// A row holds kernel rows × kernel columns × channels, as OHWI weights do; what lies outside the map is 0.
struct PatchMatrix {
    let geometry: ConvolutionGeometry
    let rows: Int
    let rowsPerImage: Int
    let columns: Int
    let tileRows: Int

    init(_ geometry: ConvolutionGeometry) {
        self.geometry = geometry
        columns = geometry.kernel * geometry.kernel * geometry.inputChannels
        rowsPerImage = geometry.outputHeight * geometry.outputWidth
        rows = geometry.batch * rowsPerImage
        // About 1 MiB stays in the second- and third-level caches; fewer rows make the products inefficient.
        tileRows = max(192, (1 << 18) / columns)
    }

    /// All rows, cut into tiles.
    var tiles: some Sequence<Range<Int>> { runs(tileRows) }

    /// All rows in runs of at most `most`.
    func runs(_ most: Int) -> some Sequence<Range<Int>> {
        stride(from: 0, to: rows, by: most).lazy.map { $0..<min($0 + most, rows) }
    }

    /// The run that follows.
    func run(after run: Range<Int>, _ most: Int) -> Range<Int> {
        run.upperBound..<min(run.upperBound + most, rows)
    }

    func makeTile() -> Tensor { Tensor([min(tileRows, rows), columns]) }

    /// Calls `body(tap's offset in a row, the pixel it reads or nil outside the map)` for every tap of `row`.
    @inline(__always)
    private func forEachTap(_ row: Int, _ body: (_ column: Int, _ pixel: Int?) -> Void) {
        let g = geometry
        let image = row / rowsPerImage
        let y = (row % rowsPerImage) / g.outputWidth, x = row % g.outputWidth
        var column = 0
        for tapY in 0..<g.kernel {
            let inputY = y * g.stride - g.padding + tapY * g.dilation
            let insideY = inputY >= 0 && inputY < g.height
            for tapX in 0..<g.kernel {
                let inputX = x * g.stride - g.padding + tapX * g.dilation
                let inside = insideY && inputX >= 0 && inputX < g.width
                body(column, inside ? (image * g.height + inputY) * g.width + inputX : nil)
                column += g.inputChannels
            }
        }
    }

    /// tile ← rows `rows` of the patch matrix of `input`; the tile's rows are `rowStride` apart.
    func unfold<Element: KernelElement>(
        _ input: UnsafePointer<Element>, rows: Range<Int>, into tile: UnsafeMutablePointer<Element>, rowStride: Int
    ) {
        let channels = geometry.inputChannels
        var target = tile
        for row in rows {
            forEachTap(row) { column, pixel in
                if let pixel {
                    (target + column).update(from: input + pixel * channels, count: channels)
                } else {
                    (target + column).update(repeating: Element(rounding: 0), count: channels)
                }
            }
            target += rowStride
        }
    }

    /// The transpose of `unfold`: adds each entry of `tile`, which has these columns of whole taps or all, to the pixel it
    /// was read from.
    func fold(
        _ tile: UnsafePointer<Float>, rows: Range<Int>, columns part: Range<Int>? = nil,
        addingTo input: UnsafeMutablePointer<Float>
    ) {
        let channels = geometry.inputChannels, part = part ?? 0..<columns
        var source = tile
        for row in rows {
            forEachTap(row) { column, pixel in
                guard let pixel, part.contains(column) else { return }
                let target = input + pixel * channels
                let entry = source + column - part.lowerBound
                for c in 0..<channels { target[c] += entry[c] }
            }
            source += part.count
        }
    }
}
