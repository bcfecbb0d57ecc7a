/// A class id for every pixel of a picture.
package struct PixelLabels: Sendable {
    package let width: Int
    package let height: Int
    /// Row by row.
    package let ids: [UInt8]

    package init(width: Int, height: Int, ids: [UInt8]) {
        precondition(ids.count == width * height, "\(ids.count) labels for \(width) × \(height) pixels")
        self.width = width
        self.height = height
        self.ids = ids
    }

    /// Left and right exchanged.
    package var mirrored: PixelLabels {
        var mirrored = ids
        for y in 0..<height { mirrored[y * width..<(y + 1) * width].reverse() }
        return PixelLabels(width: width, height: height, ids: mirrored)
    }

    /// How many pixels of each class the blocks of every × every pixels hold: [rows, classes, columns].
    func histograms(_ scheme: LabelScheme, every: Int) -> [UInt8] {
        precondition(every * every <= UInt8.max, "blocks of \(every) pixels")
        let columns = (width + every - 1) / every, rows = (height + every - 1) / every
        var counts = [UInt8](repeating: 0, count: rows * scheme.classes * columns)
        for y in 0..<height {
            for x in 0..<width {
                let id = Int(ids[y * width + x])
                if scheme.isClass[id] { counts[(y / every * scheme.classes + id) * columns + x / every] += 1 }
            }
        }
        return counts
    }

    /// Throws for an id that is neither a class nor void.
    func check(_ scheme: LabelScheme) throws {
        var seen = [Bool](repeating: false, count: 256)
        for id in ids { seen[Int(id)] = true }
        guard let unknown = (scheme.classes..<256).first(where: { seen[$0] && $0 != scheme.void }) else { return }
        let void = scheme.void.map { " nor void (\($0))" } ?? ", and no id is void"
        throw EvaluationError(
            "its labels have the id \(unknown), which is neither a class (0 to \(scheme.classes - 1))\(void); "
                + "correct the labels, or the number of classes or the void id of the segmentation score")
    }
}

/// What label ids mean: 0..<classes are classes, except `void`, which is no label at all.
package struct LabelScheme: Sendable {
    package let classes: Int
    package let void: Int?
    /// Whether each of the 256 ids is a class.
    let isClass: [Bool]

    package init(classes: Int, void: Int?) {
        precondition((1...256).contains(classes), "\(classes) classes; label PNGs hold 1 to 256")
        self.classes = classes
        self.void = void
        isClass = (0..<256).map { $0 < classes && $0 != void }
    }
}
