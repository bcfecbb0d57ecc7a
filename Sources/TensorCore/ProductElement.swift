import CAVX512

/// An element whose matrices `CAVX512` multiplies: a word of four bytes holds one float32, or two bfloat16 that are
/// neighbours along the depth.
protocol ProductElement: KernelElement {
    /// Whether this processor has the instructions.
    static var isMultiplied: Bool { get }
    static var depthPerWord: Int { get }

    /// Products and their panels, as CAVX512 describes them.
    static var products: ProductFunctions { get }

    /// Winograd's transforms, as CAVX512 describes them.
    static var transforms: WinogradTransforms { get }

    /// Batch normalisation, as CAVX512 describes it.
    static var normalization: NormalizationFunctions { get }

    /// Maximum pooling, as CAVX512 describes it.
    static var pooling: PoolingFunctions { get }
}

extension ProductElement {
    /// Batch normalisation of maps with so many columns, where `CAVX512` computes it.
    static func normalization(columns: Int) -> NormalizationFunctions? {
        isMultiplied && columns % 32 == 0 ? normalization : nil
    }

    /// Maximum pooling of maps with so many channels, where `CAVX512` computes it.
    static func pooling(channels: Int) -> PoolingFunctions? { isMultiplied && channels % 32 == 0 ? pooling : nil }

    /// sums ← a·b, or added to what is there; on the calling thread.
    static func multiply(
        _ shape: cavx512_product, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, sums: UnsafeMutablePointer<Float>
    ) {
        withUnsafePointer(to: shape) { products.multiply($0, a, b, sums) }
    }

    /// The same, rounded to this type.
    static func multiply(
        _ shape: cavx512_product, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: UnsafeMutablePointer<Self>
    ) {
        withUnsafePointer(to: shape) { products.multiplyAndRound($0, a, b, c) }
    }

    /// Writes `matrix`, depth × columns, to panels `panelStride` words apart; an odd depth ends with zeros.
    static func pack(
        _ matrix: UnsafePointer<Self>, depth: Int, columns: Int, into words: UnsafeMutablePointer<Float>,
        panelStride: Int
    ) {
        products.pack(matrix, Int64(depth), Int64(columns), words, Int64(panelStride))
    }

    /// `weights`, float32 depth × columns or transposed, as this type in panels.
    static func panels(of weights: Tensor, depth: Int, columns: Int, isTransposed: Bool) -> Tensor {
        let words = depth / depthPerWord
        let panels = Tensor([words * columns])
        (isTransposed ? products.packTransposedWeights : products.packWeights)(
            weights.pointer, Int64(depth), Int64(columns), panels.pointer, Int64(words * panelColumns))
        return panels
    }
}

struct ProductFunctions: Sendable {
    typealias Multiply =
        @Sendable @convention(c) (
            UnsafePointer<cavx512_product>?, _ a: UnsafeRawPointer?, _ b: UnsafeRawPointer?,
            _ c: UnsafeMutableRawPointer?
        ) -> Void
    typealias PackWeights =
        @Sendable @convention(c) (
            _ weights: UnsafePointer<Float>?, _ depth: Int64, _ columns: Int64, _ words: UnsafeMutablePointer<Float>?,
            _ panelStride: Int64
        ) -> Void

    let multiply: Multiply
    let multiplyAndRound: Multiply
    let pack:
        @Sendable @convention(c) (
            _ matrix: UnsafeRawPointer?, _ depth: Int64, _ columns: Int64, _ words: UnsafeMutablePointer<Float>?,
            _ panelStride: Int64
        ) -> Void
    let packWeights: PackWeights
    let packTransposedWeights: PackWeights
}

struct WinogradTransforms: Sendable {
    typealias Pixels = UnsafePointer<UnsafeRawPointer?>
    typealias ToPanels =
        @Sendable @convention(c) (
            Pixels?, _ channels: Int64, _ words: UnsafeMutablePointer<Float>?, _ stride: Int64, _ panelStride: Int64
        ) -> Void

    let patch:
        @Sendable @convention(c) (
            Pixels?, _ channels: Int64, _ target: UnsafeMutableRawPointer?, _ stride: Int64
        ) -> Void
    let patches: ToPanels
    let gradients: ToPanels
    let tile:
        @Sendable @convention(c) (
            _ products: UnsafePointer<Float>?, _ stride: Int64, _ channels: Int64,
            UnsafePointer<UnsafeMutableRawPointer?>?, _ accumulate: Int32
        ) -> Void
    let weights:
        @Sendable @convention(c) (
            _ weights: UnsafePointer<Float>?, _ tapStride: Int64, _ depthStride: Int64, _ columns: Int64,
            _ words: UnsafeMutablePointer<Float>?, _ stride: Int64, _ panelStride: Int64
        ) -> Void
    let transposedWeights:
        @Sendable @convention(c) (
            _ weights: UnsafePointer<Float>?, _ tapStride: Int64, _ columnStride: Int64, _ depth: Int64,
            _ columns: Int64,
            _ words: UnsafeMutablePointer<Float>?, _ stride: Int64, _ panelStride: Int64
        ) -> Void
}

struct NormalizationFunctions: Sendable {
    let affine:
        @Sendable @convention(c) (
            _ x: UnsafeRawPointer?, _ scale: UnsafePointer<Float>?, _ shift: UnsafePointer<Float>?,
            _ residual: UnsafeRawPointer?, _ rectify: Int32, _ rows: Int64, _ columns: Int64,
            _ output: UnsafeMutableRawPointer?
        ) -> Void
    let moments:
        @Sendable @convention(c) (
            _ x: UnsafeRawPointer?, _ rows: Int64, _ columns: Int64, _ sums: UnsafeMutablePointer<Double>?
        ) -> Void
    let gradientMoments:
        @Sendable @convention(c) (
            _ x: UnsafeRawPointer?, _ gradient: UnsafeMutableRawPointer?, UnsafePointer<cavx512_gate>?, _ rows: Int64,
            _ columns: Int64, _ sums: UnsafeMutablePointer<Double>?
        ) -> Void
    let gradient:
        @Sendable @convention(c) (
            _ x: UnsafeRawPointer?, _ gradient: UnsafeRawPointer?, UnsafePointer<cavx512_gate>?,
            _ a: UnsafePointer<Float>?, _ b: UnsafePointer<Float>?, _ c: UnsafePointer<Float>?, _ rows: Int64,
            _ columns: Int64, _ output: UnsafeMutableRawPointer?
        ) -> Void
}

struct PoolingFunctions: Sendable {
    let pool:
        @Sendable @convention(c) (
            _ pixels: UnsafePointer<UnsafeRawPointer?>?, _ taps: UnsafePointer<UInt8>?, _ count: Int64,
            _ channels: Int64,
            _ output: UnsafeMutableRawPointer?, _ winners: UnsafeMutablePointer<UInt8>?
        ) -> Void
    let gradient:
        @Sendable @convention(c) (
            _ windows: UnsafePointer<Int64>?, _ taps: UnsafePointer<UInt8>?, _ count: Int64, _ channels: Int64,
            _ gradient: UnsafeRawPointer?, _ winners: UnsafePointer<UInt8>?, _ output: UnsafeMutableRawPointer?
        ) -> Void
}

extension cavx512_product {
    /// Strides are in words of four bytes, of `c` in elements.
    init(
        rows: Int, columns: Int, depth: Int, rowStride: Int, depthStride: Int, resultStride: Int,
        accumulate: Bool = false
    ) {
        self.init()
        (self.rows, self.columns, self.depth) = (Int64(rows), Int64(columns), Int64(depth))
        (a_row_stride, a_depth_stride, c_row_stride) = (Int64(rowStride), Int64(depthStride), Int64(resultStride))
        self.accumulate = accumulate ? 1 : 0
    }

    /// Has one of `parts` equal parts of what is wanted next brought into the cache while the product is computed.
    mutating func fetch(_ next: MemoryAhead, part: Int = 0, of parts: Int = 1) {
        func share(_ bytes: Int) -> Range<Int> { bytes * part / parts..<bytes * (part + 1) / parts }
        let first = share(next.first.count), second = share(next.second.count)
        ahead = (next.first.baseAddress! + first.lowerBound, next.second.baseAddress! + second.lowerBound)
        ahead_bytes = (Int64(first.count), Int64(second.count))
    }
}

/// Memory that the next block of work reads or writes.
struct MemoryAhead {
    let first: UnsafeRawBufferPointer
    let second: UnsafeRawBufferPointer

    /// `pixels` of two maps.
    init<E: KernelElement>(
        _ pixels: Range<Int>, _ first: UnsafePointer<E>, _ firstChannels: Int, _ second: UnsafePointer<E>,
        _ secondChannels: Int
    ) {
        func memory(_ map: UnsafePointer<E>, _ channels: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(
                UnsafeBufferPointer(start: map + pixels.lowerBound * channels, count: pixels.count * channels))
        }
        self.first = memory(first, firstChannels)
        self.second = memory(second, secondChannels)
    }
}

extension Float: ProductElement {
    static let isMultiplied = cavx512_computes_float32() != 0
    static var depthPerWord: Int { 1 }
    static let products = ProductFunctions(
        multiply: cavx512_multiply_float32, multiplyAndRound: cavx512_multiply_float32, pack: cavx512_pack_float32,
        packWeights: cavx512_pack_weights_float32, packTransposedWeights: cavx512_pack_transposed_weights_float32)
    static let transforms = WinogradTransforms(
        patch: cavx512_patch_float32, patches: cavx512_patches_float32, gradients: cavx512_gradients_float32,
        tile: cavx512_tile_float32, weights: cavx512_weights_float32,
        transposedWeights: cavx512_transposed_weights_float32)
    static let normalization = NormalizationFunctions(
        affine: cavx512_affine_float32, moments: cavx512_moments_float32,
        gradientMoments: cavx512_gradient_moments_float32,
        gradient: cavx512_normalization_gradient_float32)
    static let pooling = PoolingFunctions(pool: cavx512_pool_float32, gradient: cavx512_pool_gradient_float32)
}

extension BFloat16: ProductElement {
    static let isMultiplied = cavx512_computes_bfloat16() != 0
    static var depthPerWord: Int { 2 }
    static let products = ProductFunctions(
        multiply: cavx512_multiply_bfloat16, multiplyAndRound: cavx512_multiply_bfloat16_rounded,
        pack: cavx512_pack_bfloat16, packWeights: cavx512_pack_weights_bfloat16,
        packTransposedWeights: cavx512_pack_transposed_weights_bfloat16)
    static let transforms = WinogradTransforms(
        patch: cavx512_patch_bfloat16, patches: cavx512_patches_bfloat16, gradients: cavx512_gradients_bfloat16,
        tile: cavx512_tile_bfloat16, weights: cavx512_weights_bfloat16,
        transposedWeights: cavx512_transposed_weights_bfloat16)
    static let normalization = NormalizationFunctions(
        affine: cavx512_affine_bfloat16, moments: cavx512_moments_bfloat16,
        gradientMoments: cavx512_gradient_moments_bfloat16,
        gradient: cavx512_normalization_gradient_bfloat16)
    static let pooling = PoolingFunctions(pool: cavx512_pool_bfloat16, gradient: cavx512_pool_gradient_bfloat16)
}
