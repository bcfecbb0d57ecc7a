/// The three directions of one convolution in one element type, on the calling thread.
public protocol ConvolutionKernels {
    func forward(_ input: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ output: Tensor)

    func backwardData(
        _ outputGradient: Tensor, _ weight: Tensor, _ packs: WeightPacks, _ inputGradient: Tensor, accumulate: Bool)

    func backwardWeights(_ input: Tensor, _ outputGradient: Tensor, _ weightGradient: Tensor, accumulate: Bool)
}

/// An engine that chooses its kernels by geometry and type.
public protocol KernelEngine: ConvolutionEngine {
    func kernels(_ geometry: ConvolutionGeometry, _ type: ElementType) -> any ConvolutionKernels
}

extension KernelEngine {
    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
    ) {
        kernels(geometry, input.elementType).forward(input, weight, packs, output)
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool
    ) {
        kernels(geometry, inputGradient.elementType)
            .backwardData(outputGradient, weight, packs, inputGradient, accumulate: accumulate)
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        kernels(geometry, input.elementType)
            .backwardWeights(input, outputGradient, weightGradient, accumulate: accumulate)
    }
}

extension ConvolutionGeometry {
    /// Whether this convolution's channels fill panels.
    var fitsPanels: Bool {
        inputChannels % panelColumns == 0 && outputChannels % panelColumns == 0
    }
}
