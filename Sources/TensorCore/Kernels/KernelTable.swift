import CKernels

/// The kernels of one element type that the processor has; what it lacks is computed by the portable twins beside them.
extension KernelElement {
    static var products: product_kernels { avx512!.pointee.products.pointee }
    static var panels: panel_kernels { avx512!.pointee.panels.pointee }
    static var winograd: winograd_kernels { avx512!.pointee.winograd.pointee }

    /// Batch normalisation of maps with so many columns, or nil.
    static func normalization(columns: Int) -> normalization_kernels? {
        columns % 32 == 0 ? avx512?.pointee.normalization?.pointee : nil
    }

    /// Maximum pooling of maps with so many channels, or nil.
    static func pooling(channels: Int) -> pooling_kernels? {
        channels % 32 == 0 ? avx512?.pointee.pooling?.pointee : nil
    }
}

extension Float {
    nonisolated(unsafe) static let avx512: UnsafePointer<kernels>? = kernels_find(kernels_avx512, kernels_float32)
    static var depthPerWord: Int { 1 }
}

extension BFloat16 {
    nonisolated(unsafe) static let avx512: UnsafePointer<kernels>? = kernels_find(kernels_avx512, kernels_bfloat16)
    static var depthPerWord: Int { 2 }
}
