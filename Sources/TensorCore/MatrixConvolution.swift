/// Convolution as matrix products on OpenBLAS: 1×1 directly, others over tiles of unfolded patches (im2col).
public struct MatrixConvolution: ConvolutionEngine {
    public init() {}

    public func forward(_ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, output: Tensor) {
        geometry.check(input: input, weight: weight, output: output)
        if geometry.isPointwise {
            output.matrix(columns: geometry.outputChannels).product(
                input.matrix(columns: geometry.inputChannels),
                weight.reshaped([geometry.outputChannels, geometry.inputChannels]), transposeB: true)
            return
        }
        let patches = PatchMatrix(geometry)
        let w = weight.pointer, y = output.pointer, x = input.pointer
        parallelFor(patches.rows) { _, range in
            let tile = Tensor([min(patches.tileRows, range.count), patches.columns])
            for group in 0..<geometry.groups {
                for rows in patches.tiles(range) {
                    patches.unfold(x, group: group, rows: rows, into: tile.pointer)
                    gemm(
                        transposeA: false, transposeB: true, m: rows.count, n: patches.groupOutputs,
                        k: patches.columns, a: tile.pointer, lda: patches.columns,
                        b: w + group * patches.groupWeights, ldb: patches.columns,
                        beta: 0, c: y + patches.outputOffset(rows.lowerBound, group), ldc: geometry.outputChannels)
                }
            }
        }
    }

    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor, inputGradient: Tensor
    ) {
        geometry.check(input: inputGradient, weight: weight, output: outputGradient)
        if geometry.isPointwise {
            inputGradient.matrix(columns: geometry.inputChannels).product(
                outputGradient.matrix(columns: geometry.outputChannels),
                weight.reshaped([geometry.outputChannels, geometry.inputChannels]))
            return
        }
        let patches = PatchMatrix(geometry)
        let w = weight.pointer, dy = outputGradient.pointer, dx = inputGradient.pointer
        let image = inputGradient.count / geometry.batch
        // Patches of one image overlap, so an image belongs to one thread.
        parallelFor(geometry.batch) { _, images in
            let range = images.lowerBound * patches.rowsPerImage..<images.upperBound * patches.rowsPerImage
            let tile = Tensor([min(patches.tileRows, range.count), patches.columns])
            (dx + images.lowerBound * image).update(repeating: 0, count: images.count * image)
            for group in 0..<geometry.groups {
                for rows in patches.tiles(range) {
                    gemm(
                        transposeA: false, transposeB: false, m: rows.count, n: patches.columns,
                        k: patches.groupOutputs, a: dy + patches.outputOffset(rows.lowerBound, group),
                        lda: geometry.outputChannels, b: w + group * patches.groupWeights, ldb: patches.columns,
                        beta: 0, c: tile.pointer, ldc: patches.columns)
                    patches.fold(tile.pointer, group: group, rows: rows, addingTo: dx)
                }
            }
        }
    }

    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor, beta: Float
    ) {
        geometry.check(input: input, weight: weightGradient, output: outputGradient)
        let patches = PatchMatrix(geometry)
        let x = input.pointer, dy = outputGradient.pointer
        // The first part adds to the gradient itself, the others to memory of their own that is added in order.
        let others = (1..<max(ComputeThreads.shared.threads, 1)).map { _ in Tensor(weightGradient.shape) }
        let targets = [weightGradient.pointer] + others.map(\.pointer)
        var used = 0
        parallelFor(patches.rows) { part, range in
            accumulate(patches, x, dy, range, into: targets[part], beta: part == 0 ? beta : 0)
            if part == 0 { used = min(ComputeThreads.shared.threads, patches.rows) }
        }
        for other in others.prefix(used - 1) { weightGradient.addInPlace(other) }
    }

    private func accumulate(
        _ patches: PatchMatrix, _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ range: Range<Int>,
        into target: UnsafeMutablePointer<Float>, beta: Float
    ) {
        let geometry = patches.geometry
        if geometry.isPointwise {
            gemm(
                transposeA: true, transposeB: false, m: geometry.outputChannels, n: geometry.inputChannels,
                k: range.count, a: dy + range.lowerBound * geometry.outputChannels, lda: geometry.outputChannels,
                b: x + range.lowerBound * geometry.inputChannels, ldb: geometry.inputChannels,
                beta: beta, c: target, ldc: geometry.inputChannels)
            return
        }
        let tile = Tensor([min(patches.tileRows, range.count), patches.columns])
        for group in 0..<geometry.groups {
            for rows in patches.tiles(range) {
                patches.unfold(x, group: group, rows: rows, into: tile.pointer)
                gemm(
                    transposeA: true, transposeB: false, m: patches.groupOutputs, n: patches.columns,
                    k: rows.count, a: dy + patches.outputOffset(rows.lowerBound, group),
                    lda: geometry.outputChannels, b: tile.pointer, ldb: patches.columns,
                    beta: rows.lowerBound == range.lowerBound ? beta : 1,
                    c: target + group * patches.groupWeights, ldc: patches.columns)
            }
        }
    }
}
