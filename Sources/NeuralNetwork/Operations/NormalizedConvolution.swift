import TensorCore

/// A convolution with the normalisation, residual sum and rectifier behind it, as one operation: y = r(n(x ∗ w) + residual).
///
/// What lies between the two is nobody else's: its moments are gathered while the convolution has it in cache, its gradient
/// is made chunk by chunk where the convolution's are, and where no gradient is wanted the result takes its memory.
package struct NormalizedConvolution {
    package let convolution: Convolution2D
    package let normalization: BatchNormalization

    package init(_ convolution: Convolution2D, _ normalization: BatchNormalization) {
        precondition(convolution.bias == nil, "a bias in front of a normalisation has no effect")
        (self.convolution, self.normalization) = (convolution, normalization)
    }

    /// x [N, H, W, inputs] → [N, H', W', outputs].
    ///
    /// - Parameter passes: whether the result is for one reader, which makes it from what the convolution gave: it is kept
    ///   nowhere.
    package func callAsFunction(
        _ x: Variable, residual: Variable? = nil, rectify: Bool = false, passes: Bool = false, _ pass: Pass
    ) throws -> Variable {
        let (inner, moments) = convolution.run(x, gatherMoments: normalization.normalizesByBatch(pass), pass)
        let map = try normalization.map(of: inner, moments: moments, pass)
        let parameters = normalization.parameters + [convolution.weight]
        let isRecorded = pass.records([x] + (residual.map { [$0] } ?? []), parameters)
        let result = passes ? nil : isRecorded ? Tensor(inner.shape, inner.elementType) : inner
        return normalization.output(
            of: inner, map, residual: residual, rectify: rectify, into: result, from: x, parameters, pass
        ) { [convolution] gradient, dy in
            convolution.backward(x, outputGradient: ReadMap(dy.elementType, madeBy: gradient), pass)
        }
    }
}
