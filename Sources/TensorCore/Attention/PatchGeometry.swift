import Glibc

/// How contextual attention sees a map of H × W: every second pixel each way is a position, around which a 3×3 patch of
/// positions is compared; 4×4 patches of pixels, two apart, are what it copies.
///
/// Such patches overlap by halves. Pixels therefore are taken in cells of 2×2 whose first row and column lie one pixel
/// before the map's: a patch is four neighbouring cells, and each pixel is in one cell. Sums of patches are sums of
/// cells, with a quarter of the products.
struct PatchGeometry: Equatable {
    let height, width, channels: Int
    var rows: Int { height / 2 }
    var columns: Int { width / 2 }
    var positions: Int { rows * columns }
    var cellRows: Int { rows + 1 }
    var cellColumns: Int { columns + 1 }
    var cells: Int { cellRows * cellColumns }
    var cellWidth: Int { 4 * channels }

    init(_ shape: [Int]) {
        precondition(
            shape.count == 4 && shape[1] % 2 == 0 && shape[2] % 2 == 0 && shape[1] > 0 && shape[2] > 0,
            "attention over \(shape): sides must be even")
        (height, width, channels) = (shape[1], shape[2], shape[3])
    }

    // SAFETY of all below: `map` is one image [H, W, C], `positions` [positions, C], `cells` [cells, 4C]; the loops name
    // places within them.

    /// Every second pixel each way.
    func takePositions(_ map: UnsafePointer<Float>, into positions: UnsafeMutablePointer<Float>) {
        for y in 0..<rows {
            for x in 0..<columns {
                (positions + (y * columns + x) * channels).update(
                    from: map + (2 * y * width + 2 * x) * channels, count: channels)
            }
        }
    }

    /// The adjoint of `takePositions`, added to a map.
    func addPositions(_ positions: UnsafePointer<Float>, to map: UnsafeMutablePointer<Float>) {
        for y in 0..<rows {
            for x in 0..<columns {
                add(
                    positions + (y * columns + x) * channels, to: map + (2 * y * width + 2 * x) * channels,
                    count: channels)
            }
        }
    }

    /// The map's pixels in cells, zeros in what lies beyond the border.
    ///
    /// - Parameter factor: multiplies each pixel.
    func takeCells(
        _ map: UnsafePointer<Float>, factor: (_ y: Int, _ x: Int) -> Float, into cells: UnsafeMutablePointer<Float>
    ) {
        cells.update(repeating: 0, count: self.cells * cellWidth)
        forEachPixel { pixel, place, y, x in
            let factor = factor(y, x)
            for c in 0..<channels { cells[place + c] = factor * map[pixel + c] }
        }
    }

    /// The pixels of cells as a map.
    func placeCells(
        _ cells: UnsafePointer<Float>, factor: (_ y: Int, _ x: Int) -> Float, into map: UnsafeMutablePointer<Float>
    ) {
        forEachPixel { pixel, place, y, x in
            let factor = factor(y, x)
            for c in 0..<channels { map[pixel + c] = factor * cells[place + c] }
        }
    }

    @inline(__always)
    private func forEachPixel(_ body: (_ pixel: Int, _ place: Int, _ y: Int, _ x: Int) -> Void) {
        for y in 0..<height {
            let (row, i) = (y + 1).quotientAndRemainder(dividingBy: 2)
            for x in 0..<width {
                let (column, j) = (x + 1).quotientAndRemainder(dividingBy: 2)
                let cell = row * cellColumns + column
                body((y * width + x) * channels, (cell * 4 + 2 * i + j) * channels, y, x)
            }
        }
    }

    /// By how much a pixel of the output is divided: four patches overlap within the map, two at its edges, one in its
    /// corners.
    func share(averagesByCount: Bool) -> (_ y: Int, _ x: Int) -> Float {
        guard averagesByCount else { return { _, _ in 0.25 } }
        return { y, x in
            (y == 0 || y == height - 1 ? 1 : 0.5) * (x == 0 || x == width - 1 ? 1 : 0.5)
        }
    }

    /// The Euclidean norm of each position's 3×3 patch, which sees zeros beyond the border.
    func patchNorms(_ positions: UnsafePointer<Float>) -> [Float] {
        let squares = (0..<self.positions).map { place in
            let at = positions + place * channels
            return (0..<channels).reduce(0.0) { $0 + Double(at[$1]) * Double(at[$1]) }
        }
        return boxSums(squares).map { Float($0.squareRoot()) }
    }

    /// Sums over the 3×3 positions about each.
    func boxSums(_ numbers: [Double]) -> [Double] {
        var beside = numbers, sums = numbers
        for y in 0..<rows {
            for x in 0..<columns {
                let place = y * columns + x
                if x > 0 { beside[place] += numbers[place - 1] }
                if x < columns - 1 { beside[place] += numbers[place + 1] }
            }
        }
        for place in 0..<positions {
            sums[place] = beside[place]
            if place >= columns { sums[place] += beside[place - columns] }
            if place < positions - columns { sums[place] += beside[place + columns] }
        }
        return sums
    }

    /// What the gradients of 1 / max(norm, 10⁻⁴) are for the positions: `slopes` are Σ dS · S of each patch, and
    /// d ln(1 / norm) = −Σ over its positions of b · db / norm². Below the least norm nothing moves.
    func addNormGradient(
        slopes: [Double], norms: [Float], positions: UnsafePointer<Float>, to gradient: UnsafeMutablePointer<Float>
    ) {
        let shares = zip(slopes, norms).map { slope, norm in
            norm > PatchAttention.leastNorm ? -slope / (Double(norm) * Double(norm)) : 0
        }
        for (place, factor) in boxSums(shares).enumerated() {
            for c in place * channels..<(place + 1) * channels { gradient[c] += Float(factor) * positions[c] }
        }
    }
}
