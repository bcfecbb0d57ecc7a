/// Which engine computes which convolution: the first of an ordered list of candidates that accepts it.
///
/// A fixed rule, so that equal settings give equal bits; `pixpro-bench kernels` shows what it rests on.
public struct EngineList: Sendable {
    /// An engine and what it is taken for.
    public struct Candidate: Sendable {
        public let engine: any ConvolutionEngine
        /// The rule for people, for example `3×3, stride 1`.
        public let rule: String
        let accepts: @Sendable (ConvolutionGeometry, ConvolutionDirection) -> Bool

        public init(
            _ engine: any ConvolutionEngine, _ rule: String = "all others",
            accepts: @escaping @Sendable (ConvolutionGeometry, ConvolutionDirection) -> Bool = { _, _ in true }
        ) {
            (self.engine, self.rule, self.accepts) = (engine, rule, accepts)
        }

        /// The same for bfloat16 maps, widened to float32.
        var widened: Candidate { Candidate(WideningConvolution(engine), rule, accepts: accepts) }
    }

    private let float32, bfloat16: [Candidate]

    /// The fastest for each shape and direction.
    public static let fastest = EngineList(float32: fastFloat32, bfloat16: fastBFloat16)

    /// Matrix products with double-precision sums, for comparisons with a reference: what is left is the rounding of
    /// results.
    public static let exact = EngineList(only: MatrixConvolution(sums: .float64))

    public init(float32: [Candidate], bfloat16: [Candidate]) { (self.float32, self.bfloat16) = (float32, bfloat16) }

    private init(only engine: any ConvolutionEngine) {
        self.init(float32: [Candidate(engine)], bfloat16: [Candidate(engine).widened])
    }

    /// In the order in which they are asked.
    public func candidates(_ type: ElementType) -> [Candidate] { type == .float32 ? float32 : bfloat16 }

    public func engine(
        for geometry: ConvolutionGeometry, _ direction: ConvolutionDirection, _ type: ElementType
    ) -> any ConvolutionEngine {
        guard let candidate = candidates(type).first(where: { $0.accepts(geometry, direction) }) else {
            preconditionFailure("no engine for the convolution \(geometry) in \(type)")
        }
        return candidate.engine
    }
}

extension EngineList {
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
        TileConvolution.unit != nil || (Processor.isAMD && BFloat16.vectors != nil)

    private static var winograd: Candidate {
        Candidate(WinogradConvolution(), "3×3, stride 1, channels in 32s, unless maps are small") {
            WinogradConvolution.computes($0) && WinogradConvolution.saves($0, $1)
        }
    }

    private static var products: Candidate {
        Candidate(ProductConvolution(), "channels in 32s") { geometry, _ in ProductConvolution.computes(geometry) }
    }

    /// What is left to: oneDNN where it is there and sound, and products of patches. The weights' gradient of maps smaller
    /// than the kernel oneDNN makes (with AVX2) by a product of its own that allocates its memory anew in each step.
    private static func general(_ type: ElementType) -> [Candidate] {
        let patches = Candidate(MatrixConvolution()), last = type == .float32 ? patches : patches.widened
        guard let oneDNN else { return [last] }
        let sound = Candidate(oneDNN, "all but strided 1×1 of odd channels, and weights of tiny maps") {
            isSoundInOneDNN($0) && !($1 == .weights && min($0.height, $0.width) < $0.kernel)
        }
        return [sound, last]
    }

    /// oneDNN 2.6 gathers the pixels of strided 1×1 kernels by whole vectors of channels, and writes past the memory that it
    /// asked for where the last vector is not full (seen with AVX2).
    package static func isSoundInOneDNN(_ geometry: ConvolutionGeometry) -> Bool {
        geometry.kernel > 1 || geometry.stride == 1
            || (geometry.inputChannels % 16 == 0 && geometry.outputChannels % 16 == 0)
    }

    /// Portable kernels are for tests: the libraries' are faster.
    private static var fastFloat32: [Candidate] {
        switch ElementType.float32.vectorInstructions {
        case .avx512: [winograd, products] + general(.float32)
        case .avx2: [winograd, oneDNN == nil ? products : patchProducts] + general(.float32)
        case nil: general(.float32)
        }
    }

    /// With AVX2 oneDNN is up to a third faster at 1×1 kernels forward and back to pixels, but not at their weights' gradients
    /// (seen on Zen 3).
    private static var patchProducts: Candidate {
        Candidate(ProductConvolution(), "channels in 32s, but of 1×1 only the weights") { geometry, direction in
            ProductConvolution.computes(geometry) && (geometry.kernel > 1 || direction == .weights)
        }
    }

    /// oneDNN is no slower in the first layer's forward direction, which waits for memory.
    private static func tiles(_ unit: TileConvolution) -> [Candidate] {
        let wide = Candidate(unit, "channels in 32s, and the weights of first layers") { geometry, direction in
            TileConvolution.computes(geometry, direction)
                && (geometry.inputChannels % panelColumns == 0 || direction == .weights)
        }
        if oneDNN != nil { return [wide] + general(.bfloat16) }
        return [Candidate(unit, "channels in 32s, and first layers", accepts: TileConvolution.computes)]
            + general(.bfloat16)
    }

    private static var fastBFloat16: [Candidate] {
        guard multipliesBFloat16 else { return fastFloat32.map(\.widened) }
        if let unit = TileConvolution.unit { return tiles(unit) }
        guard let oneDNN else { return [winograd, products] + general(.bfloat16) }
        // Strided 1×1 kernels read a quarter of the pixels: gradients of patches are mostly zeros then.
        let folded = Candidate(oneDNN, "gradients for pixels of strided 1×1") { geometry, direction in
            direction == .data && geometry.kernel == 1 && geometry.stride > 1 && isSoundInOneDNN(geometry)
        }
        return [winograd, folded, products] + general(.bfloat16)
    }
}
