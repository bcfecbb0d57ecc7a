extension Convolutions {
    /// The gradients for weights and input of one for the output, chunk by chunk while that and the input are in cache; both may
    /// be made for it.
    ///
    /// - Parameters:
    ///   - weightGradient: nil where none is wanted, as `inputGradient`.
    ///   - sums: what is summed over the input's gradient as soon as it is complete.
    /// - Returns: those sums, where the input's gradient is wanted.
    @discardableResult
    public func backward(
        _ geometry: ConvolutionGeometry, outputGradient: ReadMap, input: ReadMap, weight: Tensor,
        weightGradient: GradientTarget?, inputGradient: GradientTarget?, sums: GradientSums? = nil
    ) -> Accumulators? {
        let type = input.elementType
        let weightEngine = engines.engine(for: geometry, .weights, type)
        if inputGradient != nil { beginCount() }
        let dataEngine = inputGradient.map { _ in engines.engine(for: geometry, .data, type) }
        // The first thread writes to the gradient itself, the others to memory of their own that is added in order.
        let parts = min(ComputeThreads.shared.threads, geometry.batch)
        let targets = weightGradient.map { target in
            (0..<parts).map { $0 == 0 ? target.tensor : Tensor(target.tensor.shape) }
        }
        func run(_ thread: Int, _ images: Range<Int>, _ total: UnsafeMutablePointer<Double>?) {
            // Chunks are the same whatever is wanted, and with them the sums.
            for chunk in geometry.chunks(of: images, type, leastPixels: weightEngine.leastGradientPixels) {
                Meanwhile.look()
                let part = geometry.withBatch(chunk.count)
                let dy = geometry.gradients(chunk, of: outputGradient, isTraced: thread == 0)
                if let targets, let weightGradient {
                    weightEngine.backwardWeights(
                        part, input: geometry.images(chunk, of: input, isTraced: thread == 0), outputGradient: dy,
                        weightGradient: targets[thread],
                        accumulate: chunk.lowerBound > images.lowerBound
                            || (thread == 0 && weightGradient.accumulates))
                }
                guard let inputGradient, let dataEngine else { continue }
                dataEngine.backwardData(
                    part, outputGradient: dy, weight: weight, packs: packs,
                    inputGradient: inputGradient.tensor.rows(chunk), accumulate: inputGradient.accumulates)
                guard let sums, let total else { continue }
                Trace.span("moments", if: thread == 0) {
                    sums.add(geometry.inputPixels(chunk), inputGradient.tensor, to: total)
                }
            }
        }
        let gathered = Trace.span("convolution \(geometry) backward") { () -> Accumulators? in
            guard let sums, inputGradient != nil else {
                parallelFor(geometry.batch) { thread, images in run(thread, images, nil) }
                return nil
            }
            return PartialSums(width: sums.width).total { total in
                parallelFor(geometry.batch) { thread, images in run(thread, images, total(thread)) }
            }
        }
        for other in targets?.dropFirst() ?? [] { weightGradient!.tensor.addInPlace(other) }
        count(outputGradient, input, weight, weightGradient, inputGradient, gathered == nil ? nil : sums, parts)
        if inputGradient != nil { release(weight, geometry) }
        return gathered
    }

    /// Adds all that to the account of bytes.
    private func count(
        _ outputGradient: ReadMap, _ input: ReadMap, _ weight: Tensor, _ weightGradient: GradientTarget?,
        _ inputGradient: GradientTarget?, _ sums: GradientSums?, _ parts: Int
    ) {
        // What is normalised is read where the input is made of it.
        let isRead = weightGradient != nil
        let summed = sums?.bytesRead(isOutputRead: isRead, isInputRead: isRead && !input.isKept) ?? 0
        MemoryTraffic.count(read: outputGradient.bytesRead + summed)
        if let weightGradient {
            MemoryTraffic.count(
                read: input.bytesRead + weightGradient.bytesRead, written: parts * weightGradient.tensor.byteCount)
        }
        if let inputGradient {
            count(read: inputGradient.bytesRead, written: inputGradient.tensor.byteCount, weight)
        }
    }
}
