/// The three directions of a convolution.
public enum ConvolutionDirection: String, Sendable, CaseIterable {
    case forward
    case data
    case weights
}

/// The three kernels of a convolution, on the calling thread: the seam behind which matrix products and oneDNN stand.
///
/// Maps are NHWC of the engine's element types, `weight` and its gradient float32 OHWI in all of them. `packs` keeps
/// what an engine makes of the weights for its own use.
public protocol ConvolutionEngine: Sendable {
    /// For example `oneDNN 2.6.3`.
    var name: String { get }

    /// Pixels below which a product is too flat to be fast.
    var leastPixels: Int { get }

    /// Pixels that outweigh adding to the weights' gradient.
    var leastGradientPixels: Int { get }

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

extension ConvolutionEngine {
    public var leastPixels: Int { 200 }
    // Two maps of 14², or eight of 7².
    public var leastGradientPixels: Int { 392 }
}
