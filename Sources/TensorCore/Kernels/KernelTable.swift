import CKernels

/// The kernels of one element type: those of the processor, or portable twins behind the same names.
extension KernelElement {
    static var products: product_kernels { (vectors ?? portable).pointee.products.pointee }
    static var panels: panel_kernels { (vectors ?? portable).pointee.panels.pointee }
    static var winograd: winograd_kernels { (vectors ?? portable).pointee.winograd.pointee }

    /// Batch normalisation of maps with so many columns, or nil: the twin is beside its call.
    static func normalization(columns: Int) -> normalization_kernels? {
        columns % 32 == 0 ? vectors?.pointee.normalization?.pointee : nil
    }

    /// Maximum pooling of maps with so many channels, or nil: the twin is beside its call.
    static func pooling(channels: Int) -> pooling_kernels? {
        channels % 32 == 0 ? vectors?.pointee.pooling?.pointee : nil
    }

    /// Activations of maps with so many columns, or nil: the twin is beside its call.
    static func activation(columns: Int) -> activation_kernels? {
        columns % 32 == 0 ? vectors?.pointee.activation?.pointee : nil
    }
}

extension Float {
    nonisolated(unsafe) static let vectors = ElementType.float32.vectorInstructions?.table(kernels_float32)
    nonisolated(unsafe) static let portable: UnsafePointer<kernels> = kernels_find(kernels_portable, kernels_float32)
    static var depthPerWord: Int { 1 }
}

extension BFloat16 {
    nonisolated(unsafe) static let vectors = ElementType.bfloat16.vectorInstructions?.table(kernels_bfloat16)
    nonisolated(unsafe) static let portable: UnsafePointer<kernels> = kernels_find(kernels_portable, kernels_bfloat16)
    static var depthPerWord: Int { 2 }
}

/// Vector instructions that there are kernels for, the widest first.
public enum VectorInstructions: String, Sendable, CaseIterable {
    case avx512 = "AVX-512"
    case avx2 = "AVX2"

    /// The kernels for maps of `element`, if this processor has them.
    fileprivate func table(_ element: kernels_element) -> UnsafePointer<kernels>? {
        switch self {
        case .avx512: kernels_find(kernels_avx512, element)
        case .avx2: kernels_find(kernels_avx2, element)
        }
    }
}

extension ElementType {
    /// The widest that this processor has kernels in for such maps; nil where it has none.
    public var vectorInstructions: VectorInstructions? {
        let element = self == .float32 ? kernels_float32 : kernels_bfloat16
        return VectorInstructions.allCases.first { $0.table(element) != nil }
    }
}
