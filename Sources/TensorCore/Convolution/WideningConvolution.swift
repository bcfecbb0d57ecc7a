/// Convolutions of bfloat16 maps by a float32 engine: maps are widened before, results rounded after.
///
/// Half the memory of float32 maps at nearly float32's speed, where a processor multiplies bfloat16 slowly or not at all.
public struct WideningConvolution: ConvolutionEngine {
    private let engine: any ConvolutionEngine

    public init(_ engine: any ConvolutionEngine) { self.engine = engine }

    public var name: String { engine.name + " on widened maps" }

    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
    ) {
        let wide = Tensor(output.shape)
        engine.forward(geometry, input: input.cast(to: .float32), weight: weight, packs: packs, output: wide)
        wide.cast(into: output)
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool
    ) {
        let wide = accumulate ? inputGradient.cast(to: .float32) : Tensor(inputGradient.shape)
        engine.backwardData(
            geometry, outputGradient: outputGradient.cast(to: .float32), weight: weight, packs: packs,
            inputGradient: wide, accumulate: accumulate)
        wide.cast(into: inputGradient)
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        engine.backwardWeights(
            geometry, input: input.cast(to: .float32), outputGradient: outputGradient.cast(to: .float32),
            weightGradient: weightGradient, accumulate: accumulate)
    }
}
