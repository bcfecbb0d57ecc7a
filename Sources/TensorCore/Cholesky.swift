import COpenBLAS

/// The lower triangle L of a symmetric positive definite matrix A = L·Lᵀ.
public struct CholeskyFactor {
    /// [n, n]; what lies above the diagonal is not looked at.
    private let lower: Tensor

    /// Of the n × n matrix `symmetric`, row by row; nil where that is not positive definite.
    public init?(_ symmetric: [Double]) {
        let n = Int(Double(symmetric.count).squareRoot())
        precondition(n * n == symmetric.count, "\(symmetric.count) numbers are no square matrix")
        // Read by columns, as LAPACK does, the lower triangle is the upper one.
        var factor = symmetric, triangle = CChar(UInt8(ascii: "U")), size = blasint(n), info = blasint(0)
        var stride = size
        dpotrf_(&triangle, &size, &factor, &stride, &info)
        guard info == 0, factor.allSatisfy(\.isFinite) else { return nil }
        lower = Tensor([n, n], factor.map(Float.init))
    }

    /// rows ← rows · L⁻ᵀ, rows [m, n]: if A is the rows' covariance, that of the result is the identity.
    public func whiten(_ rows: Tensor) { solve(rows, CblasTrans) }

    /// weights ← weights · L⁻¹, weights [m, n]: their products with rows are what they were with whitened rows.
    public func unwhiten(_ weights: Tensor) { solve(weights, CblasNoTrans) }

    private func solve(_ matrix: Tensor, _ transpose: CBLAS_TRANSPOSE) {
        let n = lower.shape[0]
        precondition(matrix.shape.last == n, "\(matrix.shape) beside a factor of \(n) columns")
        cblas_strsm(
            CblasRowMajor, CblasRight, CblasLower, transpose, CblasNonUnit, blasint(matrix.count / n), blasint(n), 1,
            lower.pointer, blasint(n), matrix.pointer, blasint(n))
    }
}
