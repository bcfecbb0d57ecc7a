/// Rows of float32 numbers, one behind the other.
struct RowMatrix {
    // SAFETY: valid while the tensor lives of which it was made; whoever makes one keeps that.
    let pointer: UnsafeMutablePointer<Float>
    let count: Int
    let width: Int

    init(_ pointer: UnsafeMutablePointer<Float>, count: Int, width: Int) {
        (self.pointer, self.count, self.width) = (pointer, count, width)
    }

    /// One matrix of [N, rows, width].
    init(_ tensor: Tensor, _ index: Int) {
        (count, width) = (tensor.shape[1], tensor.shape[2])
        pointer = tensor.rows(index..<index + 1).pointer
    }

    subscript(row: Int) -> UnsafeMutablePointer<Float> { pointer + row * width }
}

/// The six products of which attention is made, for a block of query rows against all keys of a picture: similarities
/// S = Q Kᵀ, a weighting of them W, which is not made here, and sums Y = W V; and the way back.
///
/// What differs between kinds of attention is how similarities become weights: the pixel propagation raises each to a
/// power, contextual attention couples those of neighbours and takes a softmax.
struct AttentionProducts {
    let keys: RowMatrix
    /// As many as keys, or as many as the weighting makes of them.
    let values: RowMatrix

    /// [count, keys] ← Q Kᵀ.
    func similarities(
        of queries: UnsafePointer<Float>, count: Int, into similarities: UnsafeMutablePointer<Float>
    ) {
        gemm(
            transposeA: false, transposeB: true, m: count, n: keys.count, k: keys.width, a: queries, lda: keys.width,
            b: keys.pointer,
            ldb: keys.width, beta: 0, c: similarities, ldc: keys.count)
    }

    /// [count, width of values] ← W V.
    func sums(of weights: UnsafePointer<Float>, count: Int, into sums: UnsafeMutablePointer<Float>) {
        gemm(
            transposeA: false, transposeB: false, m: count, n: values.width, k: values.count, a: weights,
            lda: values.count,
            b: values.pointer, ldb: values.width, beta: 0, c: sums, ldc: values.width)
    }

    /// dV [values, width of values] ← Wᵀ dY + beta · dV.
    func valueGradient(
        weights: UnsafePointer<Float>, outputGradient: UnsafePointer<Float>, count: Int, beta: Float,
        into gradient: UnsafeMutablePointer<Float>
    ) {
        gemm(
            transposeA: true, transposeB: false, m: values.count, n: values.width, k: count, a: weights,
            lda: values.count,
            b: outputGradient, ldb: values.width, beta: beta, c: gradient, ldc: values.width)
    }

    /// dW [count, values] ← dY Vᵀ.
    func weightGradient(
        outputGradient: UnsafePointer<Float>, count: Int, into gradient: UnsafeMutablePointer<Float>
    ) {
        gemm(
            transposeA: false, transposeB: true, m: count, n: values.count, k: values.width, a: outputGradient,
            lda: values.width, b: values.pointer, ldb: values.width, beta: 0, c: gradient, ldc: values.count)
    }

    /// dQ [count, width of keys] ← dS K + beta · dQ.
    func queryGradient(
        similarityGradient: UnsafePointer<Float>, count: Int, beta: Float, into gradient: UnsafeMutablePointer<Float>
    ) {
        gemm(
            transposeA: false, transposeB: false, m: count, n: keys.width, k: keys.count, a: similarityGradient,
            lda: keys.count, b: keys.pointer, ldb: keys.width, beta: beta, c: gradient, ldc: keys.width)
    }

    /// dK [keys, width of keys] ← dSᵀ Q + beta · dK.
    func keyGradient(
        similarityGradient: UnsafePointer<Float>, queries: UnsafePointer<Float>, count: Int, beta: Float,
        into gradient: UnsafeMutablePointer<Float>
    ) {
        gemm(
            transposeA: true, transposeB: false, m: keys.count, n: keys.width, k: count, a: similarityGradient,
            lda: keys.count, b: queries, ldb: keys.width, beta: beta, c: gradient, ldc: keys.width)
    }
}
