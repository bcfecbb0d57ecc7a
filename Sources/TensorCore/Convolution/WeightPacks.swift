import Threads

/// How long what engines make of weights is kept.
public enum PackLife: Sendable {
    /// For networks that use their weights several times between changes.
    case untilWeightsChange
    /// Until a convolution of many pixels has used it, for networks that use most weights once: what is made of all weights
    /// of a ResNet-50 takes about three times their memory. With few pixels making it anew would show; with many it costs a
    /// percent or so where levels of a pyramid share a head, or an update has several micro-batches.
    case oneUse

    /// Of all images of a convolution, from which on what it has used is freed.
    static let leastPixels = 512
}

/// Weights in the layouts that engines want, each made once for every version of the weights, or until it is removed.
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
        /// How often it was read from one end to the other since `takeTraffic`.
        var sweeps = 0
    }

    // @unchecked: what follows is only touched under `lock`.
    private let lock = Monitor()
    private var entries: [Key: Entry] = [:]
    /// Of making packs, since `takeTraffic`; counted while somebody wants to know.
    private var packing = MemoryTraffic.Bytes()
    private var isCounting = false

    public init() {}

    var byteCount: Int { lock.withLock { entries.values.reduce(0) { $0 + $1.packed.byteCount } } }

    /// Frees all packs.
    func removeAll() { lock.withLock { entries.removeAll(keepingCapacity: true) } }

    /// Frees those of `weight`.
    func remove(_ weight: Tensor) { lock.withLock { entries = entries.filter { $0.key.weight != weight.identity } } }

    /// What `pack` makes of `weight` in its present version, or made of it before for the same `layout`; its caller reads it
    /// `sweeps` times.
    func packed(_ weight: Tensor, layout: Layout, sweeps: Int = 1, _ pack: () -> Tensor) -> Tensor {
        lock.withLock {
            let key = Key(weight: weight.identity, layout: layout), version = weight.version
            if let place = entries.index(forKey: key), entries.values[place].version == version {
                if isCounting { entries.values[place].sweeps += sweeps }
                return entries.values[place].packed
            }
            let packed = Trace.span("weights packed") { pack() }
            entries[key] = Entry(
                weight: weight, version: version, packed: packed, sweeps: isCounting ? sweeps : 0)
            if isCounting { packing += MemoryTraffic.Bytes(read: weight.byteCount, written: packed.byteCount) }
            return packed
        }
    }

    /// Counts from now on, until `takeTraffic`.
    func beginTraffic() { lock.withLock { isCounting = true } }

    /// What making and reading packs has moved since `beginTraffic`; nil where none was read.
    func takeTraffic() -> MemoryTraffic.Bytes? {
        lock.withLock {
            isCounting = false
            var bytes = packing, isRead = false
            for (key, entry) in entries where entry.sweeps > 0 {
                let size = entry.packed.byteCount
                bytes.read += size > MemoryTraffic.cacheShare ? size * entry.sweeps : size
                isRead = true
                entries[key]!.sweeps = 0
            }
            packing = MemoryTraffic.Bytes()
            return isRead ? bytes : nil
        }
    }
}
