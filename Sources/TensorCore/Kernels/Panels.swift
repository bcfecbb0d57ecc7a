import CKernels

/// Columns of a panel: matrices from the right lie in panels, depth rows in each, columns in these.
let panelColumns = Int(kernels_panel)

extension KernelElement {
    /// `weights`, float32 depth × columns or transposed, as this type in panels.
    static func packed(_ weights: Tensor, depth: Int, columns: Int, isTransposed: Bool) -> Tensor {
        let words = depth / depthPerWord
        let target = Tensor([words * columns])
        let pack = isTransposed ? panels.pack_transposed : panels.pack_weights
        pack!(weights.pointer, depth, columns, target.pointer, words * panelColumns)
        return target
    }
}

/// Sixteen matrices, one for each place of a transformed tile, in panels.
struct PlacePanels {
    let words: Tensor
    let depth: Int
    /// From a place to the next one, in words.
    let placeStride: Int

    init(channels: Int, depth: Int) {
        self.depth = depth
        // A line more for each place: sixteen streams at a power of two would share the lines of the cache.
        placeStride = channels * depth + 16
        words = Tensor([16, placeStride])
    }

    /// Of panels made before, `words` [16, placeStride].
    init(_ words: Tensor, depth: Int) {
        self.words = words
        self.depth = depth
        placeStride = words.shape[1]
    }

    subscript(place: Int) -> UnsafeMutablePointer<Float> { words.pointer + place * placeStride }
}
