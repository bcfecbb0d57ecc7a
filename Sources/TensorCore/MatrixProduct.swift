extension Tensor {
    /// C ← op(A) · op(B) + beta · C over the last two dimensions, one product for each leading index.
    ///
    /// self is C […, m, n]; `transposeA` reads A as […, k, m], `transposeB` reads B as […, n, k]. A matrix without
    /// leading dimensions has its rows split over the compute threads, a batch its members.
    public func product(
        _ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false, beta: Float = 0
    ) {
        func lastTwo(_ t: Tensor) -> (Int, Int) { (t.shape[t.shape.count - 2], t.shape[t.shape.count - 1]) }
        let (m, n) = lastTwo(self), sizeA = lastTwo(a), sizeB = lastTwo(b)
        let k = transposeA ? sizeA.0 : sizeA.1
        let batch = count / max(m * n, 1)
        precondition(
            (transposeA ? sizeA.1 : sizeA.0) == m && (transposeB ? sizeB.1 : sizeB.0) == k
                && (transposeB ? sizeB.0 : sizeB.1) == n && a.count == batch * m * k && b.count == batch * k * n,
            "product of \(a.shape)\(transposeA ? "ᵀ" : "") and \(b.shape)\(transposeB ? "ᵀ" : "") into \(shape)")
        MemoryTraffic.count(read: a.byteCount + b.byteCount + (beta == 0 ? 0 : byteCount), written: byteCount)
        let pa = a.pointer, pb = b.pointer, pc = pointer
        if batch == 1, !transposeA {
            parallelFor(m) { _, rows in
                gemm(
                    transposeA: false, transposeB: transposeB, m: rows.count, n: n, k: k,
                    a: pa + rows.lowerBound * k, lda: k, b: pb, ldb: sizeB.1,
                    beta: beta, c: pc + rows.lowerBound * n, ldc: n)
            }
            return
        }
        parallelFor(batch) { _, members in
            for i in members {
                gemm(
                    transposeA: transposeA, transposeB: transposeB, m: m, n: n, k: k,
                    a: pa + i * m * k, lda: sizeA.1, b: pb + i * k * n, ldb: sizeB.1,
                    beta: beta, c: pc + i * m * n, ldc: n)
            }
        }
    }
}

extension Tensor {
    /// A copy in which each of `outer` matrices of rows × columns is transposed.
    public func permutedInner(outer: Int, rows: Int, columns: Int) -> Tensor {
        precondition(count == outer * rows * columns, "cannot transpose \(shape) as \(outer) × \(rows) × \(columns)")
        let result = Tensor([outer, columns, rows])
        MemoryTraffic.count(read: byteCount, written: byteCount)
        let x = pointer, y = result.pointer
        for matrix in 0..<outer {
            let source = x + matrix * rows * columns, target = y + matrix * rows * columns
            for row in 0..<rows {
                for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
            }
        }
        return result
    }
}
