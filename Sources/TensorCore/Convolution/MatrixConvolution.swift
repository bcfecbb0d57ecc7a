/// Convolution as matrix products on OpenBLAS, in float32: 1×1 directly, others over tiles of unfolded patches (im2col).
public struct MatrixConvolution: ConvolutionEngine {
    /// What products are summed in.
    public enum Sums: Sendable { case float32, float64 }

    private let sums: Sums

    public init(sums: Sums = .float32) { self.sums = sums }

    public var name: String { sums == .float32 ? "OpenBLAS" : "OpenBLAS in float64" }

    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, packs: WeightPacks, output: Tensor
    ) {
        let patches = PatchMatrix(geometry)
        let w = weight.pointer, y = output.pointer, x = input.pointer
        if geometry.isPointwise {
            gemm(
                sums, transposeA: false, transposeB: true, m: patches.rows, n: geometry.outputChannels,
                k: geometry.inputChannels, a: x, lda: geometry.inputChannels, b: w, ldb: geometry.inputChannels,
                beta: 0, c: y, ldc: geometry.outputChannels)
            return
        }
        let tile = patches.makeTile()
        for rows in patches.tiles {
            patches.unfold(x, rows: rows, into: tile.pointer, rowStride: patches.columns)
            gemm(
                sums, transposeA: false, transposeB: true, m: rows.count, n: geometry.outputChannels,
                k: patches.columns, a: tile.pointer, lda: patches.columns, b: w, ldb: patches.columns,
                beta: 0, c: y + rows.lowerBound * geometry.outputChannels, ldc: geometry.outputChannels)
        }
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, packs: WeightPacks,
        inputGradient: Tensor, accumulate: Bool
    ) {
        let patches = PatchMatrix(geometry)
        let w = weight.pointer, dy = outputGradient.pointer, dx = inputGradient.pointer
        if geometry.isPointwise {
            gemm(
                sums, transposeA: false, transposeB: false, m: patches.rows, n: geometry.inputChannels,
                k: geometry.outputChannels, a: dy, lda: geometry.outputChannels, b: w, ldb: geometry.inputChannels,
                beta: accumulate ? 1 : 0, c: dx, ldc: geometry.inputChannels)
            return
        }
        if !accumulate { dx.update(repeating: 0, count: inputGradient.count) }
        let tile = patches.makeTile()
        for rows in patches.tiles {
            gemm(
                sums, transposeA: false, transposeB: false, m: rows.count, n: patches.columns,
                k: geometry.outputChannels, a: dy + rows.lowerBound * geometry.outputChannels,
                lda: geometry.outputChannels, b: w, ldb: patches.columns,
                beta: 0, c: tile.pointer, ldc: patches.columns)
            patches.fold(tile.pointer, rows: rows, addingTo: dx)
        }
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        let patches = PatchMatrix(geometry)
        let x = input.pointer, dy = outputGradient.pointer, target = weightGradient.pointer
        if geometry.isPointwise {
            gemm(
                sums, transposeA: true, transposeB: false, m: geometry.outputChannels, n: geometry.inputChannels,
                k: patches.rows, a: dy, lda: geometry.outputChannels, b: x, ldb: geometry.inputChannels,
                beta: accumulate ? 1 : 0, c: target, ldc: geometry.inputChannels)
            return
        }
        let tile = patches.makeTile()
        for rows in patches.tiles {
            patches.unfold(x, rows: rows, into: tile.pointer, rowStride: patches.columns)
            gemm(
                sums, transposeA: true, transposeB: false, m: geometry.outputChannels, n: patches.columns,
                k: rows.count, a: dy + rows.lowerBound * geometry.outputChannels, lda: geometry.outputChannels,
                b: tile.pointer, ldb: patches.columns, beta: rows.lowerBound == 0 && !accumulate ? 0 : 1,
                c: target, ldc: patches.columns)
        }
    }
}
