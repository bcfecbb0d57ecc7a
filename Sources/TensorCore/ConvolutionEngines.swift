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

    /// Products of patches where the processor has AVX-512; float32 and bfloat16.
    public static let products: any ConvolutionEngine = ProductConvolution()

    /// Whether bfloat16 maps are multiplied as they are. Elsewhere they are widened chunk by chunk: Intel's processors
    /// without AMX multiply bfloat16 at half the rate of float32.
    public static let multipliesBFloat16 = hasMatrixUnits || (Processor.isAMD && BFloat16.isMultiplied)

    /// Whether oneDNN has units for bfloat16 that multiply faster than tiles can be transformed.
    private static let hasMatrixUnits = oneDNN != nil && Processor.has(["amx_bf16"])

    private static func fastest(
        for geometry: ConvolutionGeometry, _ direction: Direction, _ type: ElementType
    ) -> any ConvolutionEngine {
        if type == .bfloat16 && !multipliesBFloat16 {
            return WideningConvolution(fastest(for: geometry, direction, .float32))
        }
        let isOurs = type == .float32 || !hasMatrixUnits
        if isOurs && WinogradConvolution.computes(geometry, type) { return winograd }
        // Strided 1×1 kernels read a quarter of the pixels: gradients of patches are mostly zeros then.
        let foldsZeros = direction == .backwardData && geometry.kernel == 1 && geometry.stride > 1
        if let oneDNN, type == .bfloat16, foldsZeros { return oneDNN }
        if isOurs && ProductConvolution.computes(geometry, type) { return products }
        return oneDNN ?? (type == .bfloat16 ? WideningConvolution(matrix) : matrix)
    }

    /// What was chosen, for people.
    public static var summary: String {
        let others = (oneDNN ?? matrix).name, ours = "Winograd and products on AVX-512, \(others) for the rest"
        let bfloat16 = multipliesBFloat16 ? (hasMatrixUnits ? others : ours) : "the same on widened maps"
        return "float32: \(Float.isMultiplied ? ours : others); bfloat16: \(bfloat16)"
    }
}
