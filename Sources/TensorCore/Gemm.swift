import COpenBLAS

/// C ← alpha · op(A) · op(B) + beta · C for row-major float32 matrices; op(A) is m × k, op(B) is k × n.
///
/// `lda`, `ldb`, `ldc` are row strides in elements. Runs on the calling thread: callers split their work over threads.
@inline(__always)
func gemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int, alpha: Float = 1,
    a: UnsafePointer<Float>, lda: Int, b: UnsafePointer<Float>, ldb: Int,
    beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
) {
    cblas_sgemm(
        CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
        blasint(m), blasint(n), blasint(k), alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc))
}

/// The matrix library: what it is, and one thread for each call.
public enum MatrixLibrary {
    /// Kernels split work over their own threads; a library that did so too would oversubscribe the cores.
    public static func useOneThread() { openblas_set_num_threads(1) }

    /// For example `OpenBLAS 0.3.21 … SkylakeX`.
    public static var summary: String {
        String(cString: openblas_get_config()) + " (kernels: " + String(cString: openblas_get_corename()) + ")"
    }
}
