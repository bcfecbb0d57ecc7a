import Threads

/// Weights in the layouts that engines want, each made once for every version of the weights.
public final class WeightPacks: @unchecked Sendable {
    /// What an engine makes of weights.
    enum Layout: Hashable {
        /// oneDNN's own, under a hash of its descriptor.
        case oneDNN(UInt64, transposed: Bool)
        /// Panels of columns of outputs, and of a patch's inputs.
        case panels(ElementType)
        case transposedPanels(ElementType)
        /// The sixteen places of transformed 3×3 kernels in the same panels.
        case winograd(ElementType)
        case winogradTurned(ElementType)
        /// Panels that tiles read; those of first layers, where a row of taps is padded to the depth of a tile.
        case tiles
        case transposedTiles
        case loweredTiles
    }

    private struct Key: Hashable {
        let weight: Tensor.Identity
        let layout: Layout
    }

    private struct Entry {
        /// Kept, so that nothing else gets its identity.
        let weight: Tensor
        let version: Int
        let packed: Tensor
    }

    // @unchecked: `entries` is only touched under `lock`.
    private let lock = Monitor()
    private var entries: [Key: Entry] = [:]

    public init() {}

    /// Frees all packs.
    func removeAll() { lock.withLock { entries.removeAll(keepingCapacity: true) } }

    /// What `pack` makes of `weight` in its present version, or made of it before for the same `layout`.
    func packed(_ weight: Tensor, layout: Layout, _ pack: () -> Tensor) -> Tensor {
        lock.withLock {
            let key = Key(weight: weight.identity, layout: layout), version = weight.version
            if let entry = entries[key], entry.version == version { return entry.packed }
            let packed = Trace.span("weights packed") { pack() }
            entries[key] = Entry(weight: weight, version: version, packed: packed)
            return packed
        }
    }
}
