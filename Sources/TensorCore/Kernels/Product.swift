import CKernels

extension KernelElement {
    /// sums ← a·b, or added to what is there; on the calling thread.
    static func multiply(
        _ shape: kernels_product, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, sums: UnsafeMutablePointer<Float>
    ) {
        withUnsafePointer(to: shape) { products.multiply($0, a, b, sums) }
    }

    /// The same, rounded to this type.
    static func multiply(
        _ shape: kernels_product, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, into c: UnsafeMutablePointer<Self>
    ) {
        withUnsafePointer(to: shape) { products.multiply_rounded($0, a, b, c) }
    }
}

extension kernels_product {
    /// Strides are in words of four bytes, of `c` in elements; either rows or the depth of `a` lie together.
    init(
        rows: Int, columns: Int, depth: Int, rowStride: Int, depthStride: Int, resultStride: Int,
        accumulate: Bool = false
    ) {
        precondition(
            rowStride == 1 || depthStride == 1, "rows \(rowStride) words apart, and \(depthStride) along the depth")
        self.init()
        (self.rows, self.columns, self.depth) = (rows, columns, depth)
        (a_row_stride, a_depth_stride, c_row_stride) = (rowStride, depthStride, resultStride)
        self.accumulate = accumulate
    }

    /// Has one of `parts` equal parts of what is wanted next brought into the cache while the product is computed.
    mutating func fetch(_ next: MemoryAhead, part: Int = 0, of parts: Int = 1) {
        func share(_ bytes: Int) -> Range<Int> { bytes * part / parts..<bytes * (part + 1) / parts }
        let first = share(next.first.count), second = share(next.second.count)
        ahead = (next.first.baseAddress! + first.lowerBound, next.second.baseAddress! + second.lowerBound)
        ahead_bytes = (first.count, second.count)
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
