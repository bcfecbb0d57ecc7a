import TensorCore

/// Batch normalisation over all workers' samples and pixels, with the residual sum and rectifier that follow it.
///
/// Ioffe and Szegedy 2015; ε = 1e-5, momentum 0.1, running variance unbiased over the global count (as PyTorch's
/// SyncBatchNorm).
public final class BatchNormalization {
    public let scale: Parameter
    public let shift: Parameter
    public let running: RunningStatistics

    static let epsilon = 1e-5
    static let momentum = 0.1

    /// `initialScale` is 0 for the last normalisation of a residual block.
    public init(_ scope: Scope, channels: Int, initialScale: Float = 1) {
        scale = scope.parameter("weight", [channels], .constant(initialScale))
        shift = scope.parameter("bias", [channels], .constant(0))
        running = scope.runningStatistics(channels: channels)
    }

    /// x […, C] → rectifier(normalised x · scale + shift + residual).
    public func callAsFunction(
        _ x: Variable, residual: Variable? = nil, rectify: Bool = false, _ pass: Pass
    ) throws -> Variable {
        switch pass.mode {
        case .evaluation:
            precondition(pass.tape == nil, "running statistics have no backward: evaluate without a tape")
            return evaluate(x, residual: residual, rectify: rectify)
        case .training:
            return try train(x, residual: residual, rectify: rectify, pass)
        }
    }

    private func evaluate(_ x: Variable, residual: Variable?, rectify: Bool) -> Variable {
        let mean = running.mean.array.map(Double.init)
        let variance = running.variance.array.map(Double.init)
        let map = Affine(scale: scale, shift: shift, mean: mean, variance: variance)
        let output = Tensor(x.value.shape)
        x.value.affineColumns(
            scale: map.scale, shift: map.shift, residual: residual?.value, rectify: rectify, into: output)
        return Variable(output)
    }

    private func train(_ x: Variable, residual: Variable?, rectify: Bool, _ pass: Pass) throws -> Variable {
        let channels = scale.value.count
        precondition(x.value.shape.last == channels, "\(running.name) has \(channels) channels, input \(x.value.shape)")
        // One message: the sums of x, of x², and the number of rows.
        var moments = x.value.columnMoments() + [Double(x.value.count / channels)]
        try moments.withUnsafeMutableBufferPointer { try pass.statistics.sum($0) }
        let rows = moments[2 * channels]
        let mean = (0..<channels).map { moments[$0] / rows }
        let variance = (0..<channels).map { max(moments[channels + $0] / rows - mean[$0] * mean[$0], 0) }
        moveRunning(mean: mean, variance: variance, rows: rows)

        let map = Affine(scale: scale, shift: shift, mean: mean, variance: variance)
        let output = Tensor(x.value.shape)
        x.value.affineColumns(
            scale: map.scale, shift: map.shift, residual: residual?.value, rectify: rectify, into: output)
        let y = Variable(output, needsGradient: pass.tape != nil)
        pass.tape?.record([scale, shift]) { [self] in
            guard let dy = y.takeGradient() else { return }
            if rectify { y.value.maskGradient(dy) }
            let dx = try inputGradient(x.value, dy, mean: mean, map: map, rows: rows, pass.statistics)
            x.receive(dx)
            residual?.receive(dy)
        }
        return y
    }

    /// With x̂ = (x − μ)/σ: dγ = Σ dy·x̂, dβ = Σ dy, dx = γ/σ · (dy − mean(dy) − x̂ · mean(dy·x̂)).
    ///
    /// The parameters' gradients are this worker's part (they are reduced with all others); the means are global.
    private func inputGradient(
        _ x: Tensor, _ dy: Tensor, mean: [Double], map: Affine, rows: Double, _ statistics: any StatisticsReducing
    ) throws -> Tensor {
        let channels = mean.count
        var sums = x.columnMoments(withGradient: dy)
        for c in 0..<channels { sums[channels + c] = (sums[channels + c] - mean[c] * sums[c]) * map.inverseDeviation[c] }
        scale.accumulate { gradient, beta in gradient.add(sums[channels...], beta: beta) }
        shift.accumulate { gradient, beta in gradient.add(sums[..<channels], beta: beta) }
        try sums.withUnsafeMutableBufferPointer { try statistics.sum($0) }

        var b = [Float](repeating: 0, count: channels), constant = b
        for c in 0..<channels {
            let factor = Double(map.scale[c])
            let slope = -factor * map.inverseDeviation[c] * sums[channels + c] / rows
            b[c] = Float(slope)
            constant[c] = Float(-factor * sums[c] / rows - slope * mean[c])
        }
        let dx = Tensor(x.shape)
        x.batchNormalizationGradient(gradient: dy, a: map.scale, b: b, c: constant, into: dx)
        return dx
    }

    private func moveRunning(mean: [Double], variance: [Double], rows: Double) {
        let unbiased = rows / max(rows - 1, 1)
        let runningMean = running.mean.floats, runningVariance = running.variance.floats
        for c in 0..<mean.count {
            runningMean[c] = Float((1 - Self.momentum) * Double(runningMean[c]) + Self.momentum * mean[c])
            runningVariance[c] = Float(
                (1 - Self.momentum) * Double(runningVariance[c]) + Self.momentum * variance[c] * unbiased)
        }
        running.batchesTracked += 1
    }

    /// Normalisation and affine map of a channel as one product and one sum.
    private struct Affine {
        let scale: [Float]
        let shift: [Float]
        let inverseDeviation: [Double]

        init(scale: Parameter, shift: Parameter, mean: [Double], variance: [Double]) {
            let inverse = variance.map { 1 / ($0 + BatchNormalization.epsilon).squareRoot() }
            let gamma = scale.value.array, beta = shift.value.array
            self.scale = gamma.indices.map { Float(Double(gamma[$0]) * inverse[$0]) }
            self.shift = beta.indices.map { Float(Double(beta[$0]) - mean[$0] * Double(gamma[$0]) * inverse[$0]) }
            inverseDeviation = inverse
        }
    }
}

extension Tensor {
    /// self ← beta · self + values.
    fileprivate func add(_ values: ArraySlice<Double>, beta: Float) {
        for (i, value) in values.enumerated() { floats[i] = (beta == 0 ? 0 : floats[i]) + Float(value) }
    }
}
