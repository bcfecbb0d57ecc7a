/// Which engine computes which convolution.
///
/// A fixed rule, so that equal settings give equal bits; `pixpro-bench kernels` shows what it rests on.
public enum ConvolutionEngines {
    enum Direction: Sendable { case forward, backwardData, backwardWeights }

    /// How engines are chosen.
    public enum Choice: Sendable {
        /// The fastest for each shape and direction.
        case fastest
        /// One for all.
        case only(any ConvolutionEngine)

        func engine(
            for geometry: ConvolutionGeometry, _ direction: Direction, _ type: ElementType
        ) -> any ConvolutionEngine {
            switch self {
            case .fastest: ConvolutionEngines.fastest(for: geometry, direction, type)
            case .only(let engine): engine
            }
        }
    }

    /// Matrix products on OpenBLAS; float32.
    public static let matrix: any ConvolutionEngine = MatrixConvolution()

    /// The same with double-precision sums, for comparisons with a reference: what is left is the rounding of results.
    public static let exact: any ConvolutionEngine = MatrixConvolution(sums: .float64)

    /// oneDNN, if the program was built with it; float32 and bfloat16.
    public static let oneDNN: (any ConvolutionEngine)? = {
        #if ONEDNN
            return OneDNNConvolution()
        #else
            return nil
        #endif
    }()

    /// 3×3 convolutions with fewer multiplications, where the processor has AVX-512; float32 and bfloat16.
    public static let winograd: any ConvolutionEngine = WinogradConvolution()

    /// 1×1 convolutions where the processor has AVX-512; float32 and bfloat16.
    public static let pointwise: any ConvolutionEngine = PointwiseConvolution()

    /// Whether bfloat16 maps are multiplied as they are. Elsewhere they are widened chunk by chunk: Intel's processors
    /// without AMX multiply bfloat16 at half the rate of float32.
    public static let multipliesBFloat16 =
        oneDNN != nil && (Processor.has(["amx_bf16"]) || (Processor.isAMD && Processor.has(["avx512_bf16"])))

    private static func fastest(
        for geometry: ConvolutionGeometry, _ direction: Direction, _ type: ElementType
    ) -> any ConvolutionEngine {
        if type == .bfloat16 && !multipliesBFloat16 {
            return WideningConvolution(fastest(for: geometry, direction, .float32))
        }
        // Matrix units multiply faster than tiles can be transformed.
        let hasMatrixUnits = type == .bfloat16 && Processor.has(["amx_bf16"])
        if !hasMatrixUnits && WinogradConvolution.computes(geometry, type) { return winograd }
        if !hasMatrixUnits && PointwiseConvolution.computes(geometry, type) { return pointwise }
        if type == .bfloat16 { return oneDNN! }
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
