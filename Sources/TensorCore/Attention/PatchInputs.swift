/// What attention looks at, prepared for a batch: positions, norms and cells of each picture.
final class PatchInputs {
    /// Some foreground rows of a picture: what a thread computes at a time.
    struct Band {
        let image: Int
        let rows: Range<Int>
    }

    let options: PatchAttention
    let foreground, background: PatchGeometry
    let grid: ScoreGrid
    let images: Int
    /// [N, positions, C]; the same where the maps are.
    let foregroundPositions, backgroundPositions: Tensor
    /// [N, cells, 4C].
    let backgroundCells: Tensor
    /// [N, positions]: 0 or −∞.
    let valid: Tensor
    /// By image.
    let foregroundNorms, backgroundNorms: [[Float]]

    init(_ f: Tensor, _ b: Tensor, valid: Tensor, _ options: PatchAttention) {
        let foreground = PatchGeometry(f.shape), background = PatchGeometry(b.shape), images = f.shape[0]
        precondition(
            b.shape[0] == images && f.shape[3] == b.shape[3] && valid.shape == [images, background.positions],
            "attention of \(f.shape) to \(b.shape) with \(valid.shape) valid patches")
        (self.options, self.foreground, self.background, self.images) = (options, foreground, background, images)
        self.valid = valid
        grid = ScoreGrid(
            foregroundRows: foreground.rows, foregroundColumns: foreground.columns, backgroundRows: background.rows,
            backgroundColumns: background.columns, wraps: options.wraps)
        func positions(_ map: Tensor, _ geometry: PatchGeometry) -> (Tensor, [[Float]]) {
            let result = Tensor([images, geometry.positions, geometry.channels])
            let norms = (0..<images).map { image in
                let own = result.rows(image..<image + 1).pointer
                geometry.takePositions(map.rows(image..<image + 1).pointer, into: own)
                return geometry.patchNorms(own)
            }
            return (result, norms)
        }
        (backgroundPositions, backgroundNorms) = positions(b, background)
        (foregroundPositions, foregroundNorms) =
            f === b ? (backgroundPositions, backgroundNorms) : positions(f, foreground)
        backgroundCells = Tensor([images, background.cells, background.cellWidth])
        let target = backgroundCells
        parallelFor(images) { _, part in
            for image in part {
                background.takeCells(
                    b.rows(image..<image + 1).pointer, factor: { _, _ in 1 },
                    into: target.rows(image..<image + 1).pointer)
            }
        }
    }

    func products(_ image: Int) -> AttentionProducts {
        AttentionProducts(keys: RowMatrix(backgroundPositions, image), values: RowMatrix(backgroundCells, image))
    }

    /// 1 / max(norm, 10⁻⁴) of each background patch.
    func backgroundFactors(_ image: Int) -> Tensor { Self.factors(backgroundNorms[image]) }

    /// The same of foreground patches; nil where these are not divided.
    func foregroundFactors(_ image: Int) -> Tensor? {
        options.isCosine ? Self.factors(foregroundNorms[image]) : nil
    }

    private static func factors(_ norms: [Float]) -> Tensor {
        Tensor([norms.count], norms.map { 1 / max($0, PatchAttention.leastNorm) })
    }

    /// Runs `body` for bands of all pictures, spread over the compute threads; results in order.
    func forEachBand<Result>(_ body: (Band) -> Result) -> [(Band, Result)] {
        let rows = foreground.rows, threads = ComputeThreads.shared.threads
        var bands: [[(Band, Result)]] = Array(repeating: [], count: threads)
        bands.withUnsafeMutableBufferPointer { bands in
            // SAFETY: each part writes to a place of its own.
            let places = UncheckedPlaces(base: bands.baseAddress!)
            parallelFor(images * rows) { part, range in
                var start = range.lowerBound
                while start < range.upperBound {
                    let image = start / rows, end = min(range.upperBound, (image + 1) * rows)
                    let band = Band(image: image, rows: start - image * rows..<end - image * rows)
                    places.base[part].append((band, body(band)))
                    start = end
                }
            }
        }
        return bands.flatMap { $0 }
    }

    private struct UncheckedPlaces<Element> {
        let base: UnsafeMutablePointer<Element>
    }

    // MARK: Cells of the output

    /// A line of output cells of a picture: [cell columns, 4C].
    func cellLine(_ cells: Tensor, _ image: Int, _ row: Int) -> Tensor {
        cells.rows(image..<image + 1).view(
            offset: row * foreground.cellColumns * foreground.cellWidth,
            shape: [foreground.cellColumns, foreground.cellWidth])
    }

    func placeCells(_ cells: Tensor, into output: Tensor) {
        parallelFor(images) { _, part in
            for image in part {
                foreground.placeCells(
                    cells.rows(image..<image + 1).pointer,
                    factor: foreground.share(averagesByCount: options.averagesByCount),
                    into: output.rows(image..<image + 1).pointer)
            }
        }
    }

    func takeCells(ofGradient gradient: Tensor) -> Tensor {
        let cells = Tensor([images, foreground.cells, foreground.cellWidth])
        parallelFor(images) { _, part in
            for image in part {
                foreground.takeCells(
                    gradient.rows(image..<image + 1).pointer,
                    factor: foreground.share(averagesByCount: options.averagesByCount),
                    into: cells.rows(image..<image + 1).pointer)
            }
        }
        return cells
    }
}
