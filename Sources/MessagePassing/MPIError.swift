import CMPI

/// An MPI call that failed. The one place where MPI's codes become errors.
package struct MPIError: Error, CustomStringConvertible {
    /// The C function, for example `MPI_Allreduce`.
    package let function: String
    /// The standard error class, for example `MPI_ERR_TRUNCATE` (15).
    package let errorClass: Int
    /// The library's own words.
    package let text: String
    /// The rank in the communicator on which the call was made; -1 before there is one.
    package let rank: Int

    package var description: String { "\(function) failed on rank \(rank): \(text) (MPI error class \(errorClass))" }

    /// Throws unless `code` says success.
    static func check(_ code: Int32, _ function: String, rank: Int) throws {
        guard code != Int32(cmpi_success) else { return }
        var errorClass: Int32 = code
        MPI_Error_class(code, &errorClass)
        let text = string(capacity: cmpi_max_error_string) { MPI_Error_string(code, $0, $1) }
        throw MPIError(function: function, errorClass: Int(errorClass), text: text, rank: rank)
    }

    /// A string that an MPI call writes into a buffer of `capacity` bytes.
    static func string(
        capacity: Int, _ fill: (UnsafeMutablePointer<CChar>, UnsafeMutablePointer<Int32>) -> Int32
    ) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity + 1) { buffer in
            buffer.initialize(repeating: 0)
            var length: Int32 = 0
            _ = fill(buffer.baseAddress!, &length)
            return String(cString: buffer.baseAddress!)
        }
    }
}
