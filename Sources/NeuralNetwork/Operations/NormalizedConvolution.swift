import TensorCore

/// A convolution with the normalisation, residual sum and rectifier behind it, as one operation: y = r(n(x ∗ w) + residual).
///
/// What lies between the two is nobody else's: its moments are gathered while the convolution has it in cache, and where
/// no gradient is wanted the result takes its memory.
package struct NormalizedConvolution {
    package let convolution: Convolution2D
    package let normalization: BatchNormalization

    package init(_ convolution: Convolution2D, _ normalization: BatchNormalization) {
        precondition(convolution.bias == nil, "a bias in front of a normalisation has no effect")
        (self.convolution, self.normalization) = (convolution, normalization)
    }

    /// x [N, H, W, inputs] → [N, H', W', outputs].
    package func callAsFunction(
        _ x: Variable, residual: Variable? = nil, rectify: Bool = false, _ pass: Pass
    ) throws -> Variable {
        let inputs = [x] + (residual.map { [$0] } ?? []), parameters = normalization.parameters + [convolution.weight]
        let (inner, moments) = convolution.run(x.value, gatherMoments: normalization.normalizesByBatch(pass), pass)
        let map = try normalization.map(of: inner, moments: moments, pass)
        let output = pass.records(inputs, parameters) ? Tensor(inner.shape, inner.elementType) : inner
        map.apply(inner, residual: residual?.value, rectify: rectify, into: output)
        return pass.output(output, of: inputs, parameters) { [self] dy in
            let inner = try normalization.backward(
                of: inner, dy, map, map.rectifier(rectify, residual: residual, output: output), residual: residual)
            convolution.backward(x, outputGradient: inner, pass)
        }
    }
}
