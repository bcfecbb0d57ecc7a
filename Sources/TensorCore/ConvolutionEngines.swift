/// Which engine computes which convolution.
///
/// A fixed rule, so that equal settings give equal bits; `pixpro-bench kernels` shows what it rests on.
public enum ConvolutionEngines {
    enum Direction: Sendable { case forward, backwardData, backwardWeights }

    /// Matrix products on OpenBLAS; float32.
    public static let matrix: any ConvolutionEngine = MatrixConvolution()

    /// oneDNN, if the program was built with it; float32 and bfloat16.
    public static let oneDNN: (any ConvolutionEngine)? = {
        #if ONEDNN
            return OneDNNConvolution()
        #else
            return nil
        #endif
    }()

    /// Whether bfloat16 maps are multiplied as they are. Elsewhere they are widened chunk by chunk: Intel's processors
    /// without AMX multiply bfloat16 at half the rate of float32.
    public static let multipliesBFloat16 =
        oneDNN != nil && (Processor.has(["amx_bf16"]) || (Processor.isAMD && Processor.has(["avx512_bf16"])))

    static func engine(
        for geometry: ConvolutionGeometry, _ direction: Direction, _ type: ElementType
    ) -> any ConvolutionEngine {
        if type == .bfloat16 {
            return multipliesBFloat16
                ? oneDNN! : WideningConvolution(engine(for: geometry, direction, .float32))
        }
        guard let oneDNN else { return matrix }
        let strided = geometry.stride > 1, pointwise = geometry.kernel == 1
        // oneDNN 2.6 is slow at these in float32 by a tenth to a half.
        switch direction {
        case .forward: return oneDNN
        case .backwardData: return pointwise && strided ? matrix : oneDNN
        case .backwardWeights: return pointwise || (strided && geometry.inputChannels > 3) ? matrix : oneDNN
        }
    }

    /// What was chosen, for people.
    public static var summary: String {
        guard let oneDNN else { return "float32: \(matrix.name); bfloat16: the same on widened maps" }
        return "float32: \(oneDNN.name), \(matrix.name) for gradients of 1×1 and strided weights; bfloat16: "
            + (multipliesBFloat16 ? oneDNN.name : "the same on widened maps")
    }
}
