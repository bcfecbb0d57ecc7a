import TensorCore

/// Batch normalisation over all workers' samples and pixels, with the residual sum and rectifier that follow it.
///
/// Ioffe and Szegedy 2015; ε = 1e-5, momentum 0.1, running variance unbiased over the global count (as PyTorch's
/// SyncBatchNorm).
package final class BatchNormalization {
    package let scale: Parameter
    package let shift: Parameter
    package let running: RunningStatistics
    /// Whether training, too, normalises by the running statistics, which then stay as they are: for trunks that are
    /// frozen, and batches too small to have statistics of their own.
    package var keepsStatistics = false

    package static let epsilon = 1e-5
    static let momentum = 0.1

    /// `initialScale` is 0 for the last normalisation of a residual block.
    package init(_ scope: Scope, channels: Int, initialScale: Float = 1) {
        scale = scope.parameter("weight", [channels], .constant(initialScale))
        shift = scope.parameter("bias", [channels], .constant(0))
        running = scope.runningStatistics(channels: channels)
    }

    var parameters: [Parameter] { [scale, shift] }

    /// x […, C] → rectifier(normalised x · scale + shift + residual).
    ///
    /// - Parameter passes: whether the result is for one reader, which makes it from x: it is kept nowhere.
    package func callAsFunction(
        _ x: Variable, residual: Variable? = nil, rectify: Bool = false, passes: Bool = false, _ pass: Pass
    ) throws -> Variable {
        let map = try map(of: x.value, moments: nil, pass)
        let result = passes ? nil : Tensor(x.value.shape, x.value.elementType)
        return output(
            of: x.value, map, residual: residual, rectify: rectify, into: result, from: x, parameters, pass
        ) { gradient, dy in
            // The residual takes dy over as its gradient; without one dx may lie in dy's memory.
            let dx = residual == nil ? dy : Tensor(dy.shape, dy.elementType)
            gradient.write(into: dx)
            MemoryTraffic.count(read: gradient.bytesRead, written: dx.byteCount)
            x.receive(dx)
        }
    }

    /// What `map` makes of `inner`, which an operation made of x; it is written to `result` by whatever reads it first, or kept
    /// nowhere.
    ///
    /// - Parameter backward: is given the gradient for `inner`, chunk by chunk, and the memory of the output's, which is the
    ///   residual's afterwards.
    func output(
        of inner: Tensor, _ map: ChannelMap, residual: Variable?, rectify: Bool, into result: Tensor?, from x: Variable,
        _ parameters: [Parameter], _ pass: Pass, file: StaticString = #fileID, function: StaticString = #function,
        backward: @escaping (_ gradient: MadeMap, _ dy: Tensor) throws -> Void
    ) -> Variable {
        precondition(result != nil || residual == nil || !rectify, "a rectified sum is needed on the way back")
        let content = map.applied(to: inner, residual: residual, rectify: rectify, into: result)
        let rectifier = map.rectifier(rectify, residual: residual, output: result)
        let moments = GradientMoments(GradientSums(momentsWith: inner, rectifier: rectifier))
        let inputs = [x] + (residual.map { [$0] } ?? [])
        let output = pass.output(content, of: inputs, parameters, file: file, function: function) { [self] dy in
            // The rectifier may look at it.
            if result != nil { _ = content.written() }
            let sums = moments.take() ?? inner.gradientMoments(gradient: dy, rectifier: rectifier)
            try backward(try inputGradient(of: inner, dy, map, rectifier, sums), dy)
            residual?.receive(dy)
        }
        if output.needsGradient { output.gradientMoments = moments }
        return output
    }

    /// Whether a pass takes statistics of its batch.
    func normalizesByBatch(_ pass: Pass) -> Bool { pass.mode == .training && !keepsStatistics }

    /// What a pass does to each channel of x, whose moments were perhaps gathered before; the running statistics move.
    func map(of x: Tensor, moments: Accumulators?, _ pass: Pass) throws -> ChannelMap {
        let channels = scale.value.count
        precondition(x.shape.last == channels, "\(running.name) has \(channels) channels, input \(x.shape)")
        guard normalizesByBatch(pass) else {
            let mean = Accumulators(channels), variance = Accumulators(channels)
            for c in 0..<channels {
                mean[c] = Double(running.mean.floats[c])
                variance[c] = Double(running.variance.floats[c])
            }
            // Constants, through which no gradient flows: of infinitely many rows none moves the mean.
            return ChannelMap(
                scale: scale, shift: shift, mean: mean, variance: variance, rows: .infinity, LocalStatistics())
        }
        let (mean, variance, rows) = try batchStatistics(moments ?? x.columnMoments(), x, pass.statistics)
        pass.statistics.inOrder { [self] in moveRunning(mean: mean, variance: variance, rows: rows) }
        return ChannelMap(scale: scale, shift: shift, mean: mean, variance: variance, rows: rows, pass.statistics)
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
    /// dy is what the rectifier lets through. The contributions to the parameters' gradients are this worker's part (they
    /// are reduced with all others); the means are global. `sums` are those of `Tensor.gradientMoments`.
    private func inputGradient(
        of x: Tensor, _ dy: Tensor, _ map: ChannelMap, _ rectifier: NormalizationRectifier, _ sums: Accumulators
    ) throws -> MadeMap {
        let channels = map.scale.count
        for c in 0..<channels {
            sums[channels + c] = (sums[channels + c] - map.mean[c] * sums[c]) * map.inverseDeviation[c]
        }
        scale.accumulate { gradient, beta in gradient.add(sums.values[channels...], beta: beta) }
        shift.accumulate { gradient, beta in gradient.add(sums.values[..<channels], beta: beta) }
        try map.statistics.sum(sums.values)

        let slope = Tensor([channels]), constant = Tensor([channels])
        for c in 0..<channels {
            let factor = Double(map.scale.floats[c])
            let along = -factor * map.inverseDeviation[c] * sums[channels + c] / map.rows
            slope.floats[c] = Float(along)
            constant.floats[c] = Float(-factor * sums[c] / map.rows - along * map.mean[c])
        }
        return MadeMap(columns: channels, bytesRead: x.byteCount + dy.byteCount) { rows, dx in
            x.normalizationGradientRows(
                rows, gradient: dy, rectifier: rectifier, a: map.scale, b: slope, c: constant, into: dx)
        }
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
}

/// Normalisation and affine map of each channel as one product and one sum.
struct ChannelMap {
    let scale: Tensor
    let shift: Tensor
    let mean: Accumulators
    let inverseDeviation: Accumulators
    /// Over whose rows the statistics are, and with whom.
    let rows: Double
    let statistics: any StatisticsReducing

    init(
        scale: Parameter, shift: Parameter, mean: Accumulators, variance: Accumulators, rows: Double,
        _ statistics: any StatisticsReducing
    ) {
        let channels = mean.count
        (self.scale, self.shift, self.mean) = (Tensor([channels]), Tensor([channels]), mean)
        (self.rows, self.statistics) = (rows, statistics)
        inverseDeviation = Accumulators(channels)
        for c in 0..<channels {
            let inverse = 1 / (variance[c] + BatchNormalization.epsilon).squareRoot()
            let gamma = Double(scale.value.floats[c])
            inverseDeviation[c] = inverse
            self.scale.floats[c] = Float(gamma * inverse)
            self.shift.floats[c] = Float(Double(shift.value.floats[c]) - mean[c] * gamma * inverse)
        }
    }

    /// What it makes of x, with the residual sum and rectifier behind it, in `memory`, which may be x, or nowhere.
    func applied(to x: Tensor, residual: Variable?, rectify: Bool, into memory: Tensor?) -> LazyValue {
        let columns = scale.count, passing = residual?.passingMaker
        let added = passing == nil ? residual?.value.matrix(columns: columns) : nil
        let read = x.byteCount + (passing?.bytesRead ?? added?.byteCount ?? 0)
        let maker = MadeMap(columns: columns, bytesRead: read) { [scale, shift] rows, output in
            var residual = added?.rows(rows)
            if let passing {
                residual = Tensor([rows.count, columns], x.elementType)
                passing.write(rows, into: residual!)
            }
            x.affineRows(rows, scale: scale, shift: shift, residual: residual, rectify: rectify, into: output)
        }
        guard let memory else { return LazyValue(x.shape, x.elementType, passing: maker) }
        // Whoever writes it: this is the operation that does.
        MemoryTraffic.count(read: read, written: memory.byteCount)
        return LazyValue(memory, maker: maker)
    }

    func rectifier(_ rectify: Bool, residual: Variable?, output: Tensor?) -> NormalizationRectifier {
        guard rectify else { return .none }
        if let output, residual != nil { return .ofOutput(output) }
        return .ofAffine(scale: scale, shift: shift)
    }
}
