package import TensorCore

/// Feature maps with labels from which a linear probe can learn.
package struct LabelledMaps: Sendable {
    package let classes, channels, rows, columns: Int
    /// Pixels of the labels along a cell of the map.
    package let cellSide = 8

    package init(classes: Int, channels: Int, rows: Int, columns: Int) {
        (self.classes, self.channels, self.rows, self.columns) = (classes, channels, rows, columns)
    }

    package var width: Int { columns * cellSide }
    package var height: Int { rows * cellSide }

    /// A map [rows, columns, channels] whose cells have one class each, their features being that class's direction with
    /// noise, all of them mixed; and the class of each pixel.
    package func picture(_ index: Int) -> (map: Tensor, ids: [UInt8]) {
        var generator = KeyedGenerator(7, UInt64(index))
        let map = Tensor([rows, columns, channels])
        var ids = [UInt8](repeating: 0, count: width * height)
        for cell in 0..<rows * columns {
            let id = Int(generator.uniform() * Double(classes))
            let common = generator.normal()
            for c in 0..<channels {
                // A large part that all channels share, as rectified features have: only whitened it is harmless.
                let noise = 0.5 * generator.normal() + 20 * common
                map.floats[cell * channels + c] = Float((c % classes == id ? 1.5 : 0) + noise) + 40
            }
            for y in 0..<cellSide {
                let row = cell / columns * cellSide + y, start = row * width + cell % columns * cellSide
                for x in 0..<cellSide { ids[start + x] = UInt8(id) }
            }
        }
        return (map, ids)
    }
}
