import CMPI

/// Element-wise reductions over all ranks.
extension Communicator {
    /// Blocking and in place: MPI_Allreduce (unlike MPI_Iallreduce) uses its bandwidth-optimal algorithms in place too.
    package func reduce<Element: ReducibleElement>(
        _ values: UnsafeMutableBufferPointer<Element>, by reduction: Reduction
    ) throws {
        guard size > 1, let base = values.baseAddress else { return }
        let type = Self.type(of: Element.self), operation = reduction.operation
        try forEachCall(values.count) { range in
            try collective("MPI_Allreduce", count: range.count) {
                MPI_Allreduce(cmpi_in_place(), base + range.lowerBound, Int32(range.count), type, operation, handle)
            }
        }
    }

    private static func type<Element: ReducibleElement>(of element: Element.Type) -> MPI_Datatype {
        switch element {
        case is Float.Type: cmpi_float()
        case is Double.Type: cmpi_double()
        case is Int64.Type: cmpi_int64()
        default: preconditionFailure("messages cannot reduce \(element)")
        }
    }
}

extension Reduction {
    fileprivate var operation: MPI_Op {
        switch self {
        case .sum: cmpi_sum()
        case .minimum: cmpi_min()
        case .maximum: cmpi_max()
        }
    }
}
