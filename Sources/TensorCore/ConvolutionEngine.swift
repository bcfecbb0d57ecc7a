import Threads

/// The three kernels of a convolution, on the calling thread: the seam behind which matrix products and oneDNN stand.
///
/// Maps are NHWC of the engine's element types, `weight` and its gradient float32 OHWI in all of them. `packs` keeps
/// what an engine makes of the weights for its own use.
public protocol ConvolutionEngine: Sendable {
    /// For example `oneDNN 2.6.3`.
    var name: String { get }

    /// output ← input ∗ weight.
    func forward(_ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor)

    /// inputGradient ← the gradient for the input, added to what is there if `accumulate`.
    func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool)

    /// weightGradient ← the gradient for the weights, added to what is there if `accumulate`.
    func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool)
}

/// Weights in the layouts that engines want, each made once.
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
    }

    private struct Key: Hashable {
        let weight: UInt
        let layout: Layout
    }

    // @unchecked: `entries` is only touched under `lock`.
    private let lock = Monitor()
    private var entries: [Key: (weight: Tensor, packed: Tensor)] = [:]

    public init() {}

    /// Drops everything; to be called when the weights change.
    func removeAll() { lock.withLock { entries.removeAll(keepingCapacity: true) } }

    /// What `pack` makes of `weight`, or made of it before for the same `layout`.
    func packed(_ weight: Tensor, layout: Layout, _ pack: () -> Tensor) -> Tensor {
        lock.withLock {
            let key = Key(weight: UInt(bitPattern: weight.bytes), layout: layout)
            if let entry = entries[key] { return entry.packed }
            let packed = Trace.span("weights packed") { pack() }
            entries[key] = (weight, packed)
            return packed
        }
    }
}
