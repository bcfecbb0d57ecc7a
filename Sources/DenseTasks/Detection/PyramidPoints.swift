/// Where the cells of a pyramid's levels stand in a batch of padded images.
package struct PyramidPoints: Sendable {
    /// Finest first.
    let levels: [Level]
    let convention: DetectionConvention

    /// The cells of one level, row by row.
    struct Level: Sendable {
        let rows, columns: Int
        /// Pixels: the unit of distances.
        let stride: Double
        /// Pixels from a cell to the next, and to the first.
        let stepX, stepY, offset: Double
        /// Boxes of such a size are the level's.
        let sizes: ClosedRange<Double>
        /// Cells of finer levels.
        let first: Int

        var count: Int { rows * columns }

        /// In pixels of the padded image.
        func point(_ cell: Int) -> (x: Double, y: Double) {
            (Double(cell % columns) * stepX + offset, Double(cell / columns) * stepY + offset)
        }
    }

    /// - Parameters:
    ///   - height, width: of the padded images in pixels.
    ///   - cells: rows and columns of each level, finest first.
    init(_ settings: DetectorSettings, height: Int, width: Int, cells: [(rows: Int, columns: Int)]) {
        convention = settings.convention
        var levels: [Level] = []
        for (index, (number, size)) in zip(settings.levels.numbers, cells).enumerated() {
            let stride = 1 << number, isCentred = settings.convention.pointsAreCentred
            levels.append(
                Level(
                    rows: size.rows, columns: size.columns, stride: Double(stride),
                    stepX: Double(isCentred ? stride : width / size.columns),
                    stepY: Double(isCentred ? stride : height / size.rows), offset: isCentred ? Double(stride / 2) : 0,
                    sizes: settings.sizeRanges.range(index),
                    first: (levels.last?.first ?? 0) + (levels.last?.count ?? 0)
                ))
        }
        self.levels = levels
    }

    /// Points of an image.
    package var count: Int { levels.reduce(0) { $0 + $1.count } }
}
