import CMPI

/// Element-wise reductions over all ranks. Every rank receives the same bits.
extension Communicator {
    /// Replaces each element by its sum over all ranks.
    public func sum(_ values: UnsafeMutableBufferPointer<Float>) throws {
        try reduce(values, type: cmpi_float(), operation: cmpi_sum())
    }

    /// Replaces each element by its sum over all ranks.
    public func sum(_ values: UnsafeMutableBufferPointer<Double>) throws {
        try reduce(values, type: cmpi_double(), operation: cmpi_sum())
    }

    public func sum(_ values: [Double]) throws -> [Double] {
        try reduced(values, type: cmpi_double(), operation: cmpi_sum())
    }

    public func sum(_ values: [Int64]) throws -> [Int64] {
        try reduced(values, type: cmpi_int64(), operation: cmpi_sum())
    }

    public func minimum(_ values: [Int64]) throws -> [Int64] {
        try reduced(values, type: cmpi_int64(), operation: cmpi_min())
    }

    public func maximum(_ values: [Int64]) throws -> [Int64] {
        try reduced(values, type: cmpi_int64(), operation: cmpi_max())
    }

    public func minimum(_ values: [Double]) throws -> [Double] {
        try reduced(values, type: cmpi_double(), operation: cmpi_min())
    }

    public func maximum(_ values: [Double]) throws -> [Double] {
        try reduced(values, type: cmpi_double(), operation: cmpi_max())
    }

    private func reduced<Element: BitwiseCopyable>(
        _ values: [Element], type: MPI_Datatype, operation: MPI_Op
    ) throws -> [Element] {
        var values = values
        try values.withUnsafeMutableBufferPointer { try reduce($0, type: type, operation: operation) }
        return values
    }

    /// Blocking and in place: MPI_Allreduce (unlike MPI_Iallreduce) uses its bandwidth-optimal algorithms in place too.
    private func reduce<Element: BitwiseCopyable>(
        _ values: UnsafeMutableBufferPointer<Element>, type: MPI_Datatype, operation: MPI_Op
    ) throws {
        guard size > 1, let base = values.baseAddress else { return }
        try forEachCall(values.count) { range in
            try collective("MPI_Allreduce", count: range.count) {
                MPI_Allreduce(cmpi_in_place(), base + range.lowerBound, Int32(range.count), type, operation, handle)
            }
        }
    }
}
