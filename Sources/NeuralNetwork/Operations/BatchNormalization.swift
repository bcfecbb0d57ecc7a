import TensorCore

/// Batch normalisation over all workers' samples and pixels, with the residual sum and rectifier that follow it.
///
/// Ioffe and Szegedy 2015; ε = 1e-5, momentum 0.1, running variance unbiased over the global count (as PyTorch's
/// SyncBatchNorm).
public final class BatchNormalization {
    public let scale: Parameter
    public let shift: Parameter
    public let running: RunningStatistics
    /// Whether training, too, normalises by the running statistics, which then stay as they are: for trunks that are
    /// frozen, and batches too small to have statistics of their own.
    public var keepsStatistics = false

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
        if normalizesByBatch(pass) {
            return try train(x, moments: nil, residual: residual, rectify: rectify, into: nil, pass)
        }
        return keep(x, residual: residual, rectify: rectify, into: nil, pass)
    }

    /// Whether a pass takes statistics of its batch.
    func normalizesByBatch(_ pass: Pass) -> Bool { pass.mode == .training && !keepsStatistics }

    /// The normalisation of a convolution's output that nobody else sees: its memory may become the result's.
    func normalize(
        _ x: Variable, moments: Accumulators?, residual: Variable?, rectify: Bool, _ pass: Pass
    ) throws -> Variable {
        let inputs = [x] + (residual.map { [$0] } ?? [])
        let memory = pass.records(inputs, [scale, shift]) ? nil : x.value
        return normalizesByBatch(pass)
            ? try train(x, moments: moments, residual: residual, rectify: rectify, into: memory, pass)
            : keep(x, residual: residual, rectify: rectify, into: memory, pass)
    }

    /// Normalises by the running statistics: constants, through which no gradient flows.
    private func keep(
        _ x: Variable, residual: Variable?, rectify: Bool, into memory: Tensor?, _ pass: Pass
    ) -> Variable {
        let channels = scale.value.count
        let mean = Accumulators(channels), variance = Accumulators(channels)
        for c in 0..<channels {
            mean[c] = Double(running.mean.floats[c])
            variance[c] = Double(running.variance.floats[c])
        }
        let map = ChannelMap(scale: scale, shift: shift, mean: mean, variance: variance)
        // Of infinitely many rows none moves the mean.
        return apply(map, rows: .infinity, LocalStatistics(), x, residual, rectify: rectify, into: memory, pass)
    }

    private func train(
        _ x: Variable, moments: Accumulators?, residual: Variable?, rectify: Bool, into memory: Tensor?, _ pass: Pass
    ) throws -> Variable {
        let channels = scale.value.count
        precondition(x.value.shape.last == channels, "\(running.name) has \(channels) channels, input \(x.value.shape)")
        let (mean, variance, rows) = try batchStatistics(moments ?? x.value.columnMoments(), x.value, pass.statistics)
        moveRunning(mean: mean, variance: variance, rows: rows)
        let map = ChannelMap(scale: scale, shift: shift, mean: mean, variance: variance)
        return apply(map, rows: rows, pass.statistics, x, residual, rectify: rectify, into: memory, pass)
    }

    /// The affine map with residual and rectifier, and its way back through the statistics of `rows` rows.
    private func apply(
        _ map: ChannelMap, rows: Double, _ statistics: any StatisticsReducing, _ x: Variable, _ residual: Variable?,
        rectify: Bool, into memory: Tensor?, _ pass: Pass
    ) -> Variable {
        let output = memory ?? Tensor(x.value.shape, x.value.elementType)
        x.value.affineColumns(
            scale: map.scale, shift: map.shift, residual: residual?.value, rectify: rectify, into: output)
        return pass.output(output, of: [x] + (residual.map { [$0] } ?? []), [scale, shift]) { [self] dy in
            let cut: NormalizationRectifier =
                !rectify ? .none : residual == nil ? .ofAffine(scale: map.scale, shift: map.shift) : .ofOutput(output)
            // The residual takes dy over as its gradient; without one dx may lie in dy's memory.
            let dx = residual == nil ? dy : Tensor(dy.shape, dy.elementType)
            try writeInputGradient(x.value, dy, cut, map, rows: rows, statistics, into: dx)
            x.receive(dx)
            residual?.receive(dy)
        }
    }

    /// Mean and biased variance over the rows of all workers, whose number is the third value.
    private func batchStatistics(
        _ moments: Accumulators, _ x: Tensor, _ statistics: any StatisticsReducing
    ) throws -> (mean: Accumulators, variance: Accumulators, rows: Double) {
        let channels = scale.value.count
        // One message: the sums of x, of x², and the number of rows.
        let message = Accumulators(2 * channels + 1)
        for i in 0..<2 * channels { message[i] = moments[i] }
        message[2 * channels] = Double(x.count / channels)
        try statistics.sum(message.values)
        let rows = message[2 * channels]
        let mean = Accumulators(channels), variance = Accumulators(channels)
        for c in 0..<channels {
            mean[c] = message[c] / rows
            variance[c] = max(message[channels + c] / rows - mean[c] * mean[c], 0)
        }
        return (mean, variance, rows)
    }

    /// With x̂ = (x − μ)/σ: dγ = Σ dy·x̂, dβ = Σ dy, dx = γ/σ · (dy − mean(dy) − x̂ · mean(dy·x̂)).
    ///
    /// dy is what the rectifier lets through. The parameters' gradients are this worker's part (they are reduced with
    /// all others); the means are global.
    private func writeInputGradient(
        _ x: Tensor, _ dy: Tensor, _ rectifier: NormalizationRectifier, _ map: ChannelMap, rows: Double,
        _ statistics: any StatisticsReducing, into dx: Tensor
    ) throws {
        let channels = map.scale.count
        let sums = x.gradientMoments(gradient: dy, rectifier: rectifier)
        for c in 0..<channels {
            sums[channels + c] = (sums[channels + c] - map.mean[c] * sums[c]) * map.inverseDeviation[c]
        }
        scale.accumulate { gradient, beta in gradient.add(sums.values[channels...], beta: beta) }
        shift.accumulate { gradient, beta in gradient.add(sums.values[..<channels], beta: beta) }
        try statistics.sum(sums.values)

        let slope = Tensor([channels]), constant = Tensor([channels])
        for c in 0..<channels {
            let factor = Double(map.scale.floats[c])
            let along = -factor * map.inverseDeviation[c] * sums[channels + c] / rows
            slope.floats[c] = Float(along)
            constant.floats[c] = Float(-factor * sums[c] / rows - along * map.mean[c])
        }
        x.normalizationGradient(gradient: dy, rectifier: rectifier, a: map.scale, b: slope, c: constant, into: dx)
    }

    private func moveRunning(mean: Accumulators, variance: Accumulators, rows: Double) {
        let unbiased = rows / max(rows - 1, 1)
        let runningMean = running.mean.floats, runningVariance = running.variance.floats
        for c in 0..<mean.count {
            runningMean[c] = Float((1 - Self.momentum) * Double(runningMean[c]) + Self.momentum * mean[c])
            runningVariance[c] = Float(
                (1 - Self.momentum) * Double(runningVariance[c]) + Self.momentum * variance[c] * unbiased)
        }
        running.batchesTracked += 1
    }

    /// Normalisation and affine map of each channel as one product and one sum.
    private struct ChannelMap {
        let scale: Tensor
        let shift: Tensor
        let mean: Accumulators
        let inverseDeviation: Accumulators

        init(scale: Parameter, shift: Parameter, mean: Accumulators, variance: Accumulators) {
            let channels = mean.count
            self.scale = Tensor([channels])
            self.shift = Tensor([channels])
            self.mean = mean
            inverseDeviation = Accumulators(channels)
            for c in 0..<channels {
                let inverse = 1 / (variance[c] + BatchNormalization.epsilon).squareRoot()
                let gamma = Double(scale.value.floats[c])
                inverseDeviation[c] = inverse
                self.scale.floats[c] = Float(gamma * inverse)
                self.shift.floats[c] = Float(Double(shift.value.floats[c]) - mean[c] * gamma * inverse)
            }
        }
    }
}

extension Tensor {
    /// self ← beta · self + values.
    fileprivate func add(_ values: Slice<UnsafeMutableBufferPointer<Double>>, beta: Float) {
        let target = floats
        for (i, value) in values.enumerated() { target[i] = (beta == 0 ? 0 : target[i]) + Float(value) }
    }
}
