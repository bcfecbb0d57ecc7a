import CKernels

/// The kernels of one element type: those of the processor, or portable twins behind the same names.
extension KernelElement {
    static var products: product_kernels { (avx512 ?? portable).pointee.products.pointee }
    static var panels: panel_kernels { (avx512 ?? portable).pointee.panels.pointee }
    static var winograd: winograd_kernels { (avx512 ?? portable).pointee.winograd.pointee }

    /// Batch normalisation of maps with so many columns, or nil: the twin is beside its call.
    static func normalization(columns: Int) -> normalization_kernels? {
        columns % 32 == 0 ? avx512?.pointee.normalization?.pointee : nil
    }

    /// Maximum pooling of maps with so many channels, or nil: the twin is beside its call.
    static func pooling(channels: Int) -> pooling_kernels? {
        channels % 32 == 0 ? avx512?.pointee.pooling?.pointee : nil
    }
}

extension Float {
    nonisolated(unsafe) static let avx512: UnsafePointer<kernels>? = kernels_find(kernels_avx512, kernels_float32)
    nonisolated(unsafe) static let portable: UnsafePointer<kernels> = kernels_find(kernels_portable, kernels_float32)
    static var depthPerWord: Int { 1 }
}

extension BFloat16 {
    nonisolated(unsafe) static let avx512: UnsafePointer<kernels>? = kernels_find(kernels_avx512, kernels_bfloat16)
    nonisolated(unsafe) static let portable: UnsafePointer<kernels> = kernels_find(kernels_portable, kernels_bfloat16)
    static var depthPerWord: Int { 2 }
}
