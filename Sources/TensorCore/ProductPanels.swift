import CAVX512

/// Columns of a panel: matrices from the right lie in panels, depth rows in each, columns in these.
let panelColumns = Int(cavx512_panel)

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
