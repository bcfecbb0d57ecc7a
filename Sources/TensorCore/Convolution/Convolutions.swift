/// Convolutions of whole batches: images are split over the compute threads, and each part goes to an engine in chunks
/// that stay in cache.
///
/// It keeps the weights as engines want them, as long as `PackLife` says or until `forgetWeights` frees that memory: a
/// training step has one for each of its networks.
public final class Convolutions {
    let engines: EngineList
    let packs = WeightPacks()
    private let packLife: PackLife

    public init(_ engines: EngineList = .fastest, packs packLife: PackLife = .untilWeightsChange) {
        (self.engines, self.packLife) = (engines, packLife)
    }

    /// What was made of weights and is kept.
    public var packedBytes: Int { packs.byteCount }

    /// Frees what was made of the weights.
    public func forgetWeights() { packs.removeAll() }

    /// output ← input ∗ weight; the columns' moments (Σx, Σx², as `columnMoments`) of the output are gathered while it
    /// is in cache if asked for.
    @discardableResult
    public func forward(
        _ geometry: ConvolutionGeometry, input: Tensor, weight: Tensor, output: Tensor, gatherMoments: Bool = false
    ) -> Accumulators? {
        geometry.check(input: input, weight: weight, output: output)
        return forward(
            geometry, input: ReadMap(input), weight: weight, output: output, gatherMoments: gatherMoments)
    }

    /// The same of an input that may be made chunk by chunk.
    public func forward(
        _ geometry: ConvolutionGeometry, input: ReadMap, weight: Tensor, output: Tensor, gatherMoments: Bool
    ) -> Accumulators? {
        precondition(
            weight.shape == geometry.weightShape && output.shape == geometry.outputShape,
            "convolution \(geometry) by \(weight.shape) into \(output.shape)")
        let engine = engines.engine(for: geometry, .forward, input.elementType)
        beginCount()
        func run(_ thread: Int, _ images: Range<Int>, _ sums: UnsafeMutablePointer<Double>?) {
            for chunk in geometry.chunks(of: images, input.elementType, leastPixels: engine.leastPixels) {
                Meanwhile.look()
                let source = geometry.images(chunk, of: input, isTraced: thread == 0), part = output.rows(chunk)
                engine.forward(
                    geometry.withBatch(chunk.count), input: source, weight: weight, packs: packs, output: part)
                guard let sums else { continue }
                Trace.span("moments", if: thread == 0) {
                    part.addColumnMoments(rows: 0..<part.count / geometry.outputChannels, into: sums)
                }
            }
        }
        defer {
            count(read: input.bytesRead, written: output.byteCount, weight)
            release(weight, geometry)
        }
        return Trace.span("convolution \(geometry) forward") {
            guard gatherMoments else {
                parallelFor(geometry.batch) { thread, images in run(thread, images, nil) }
                return nil
            }
            return PartialSums(width: 2 * geometry.outputChannels).total { sums in
                parallelFor(geometry.batch) { thread, images in run(thread, images, sums(thread)) }
            }
        }
    }

    /// Frees what engines made of weights that have been used, unless they are wanted again.
    func release(_ weight: Tensor, _ geometry: ConvolutionGeometry) {
        guard case .oneUse = packLife, geometry.outputPixels >= PackLife.leastPixels else { return }
        packs.remove(weight)
    }

    /// Has packs counted, if somebody wants to know.
    func beginCount() { if MemoryTraffic.current != nil { packs.beginTraffic() } }

    /// Adds a direction to the account of bytes: its maps, and its weights as they lie or in packs.
    func count(read: Int, written: Int, _ weight: Tensor) {
        guard MemoryTraffic.current != nil else { return }
        let weights = packs.takeTraffic() ?? MemoryTraffic.Bytes(read: weight.byteCount)
        MemoryTraffic.count(read: read + weights.read, written: written + weights.written)
    }

    /// inputGradient ← the gradient for the input, added to what is there if `accumulate`.
    public func backwardData(
        _ geometry: ConvolutionGeometry, outputGradient: Tensor, weight: Tensor,
        inputGradient: Tensor, accumulate: Bool
    ) {
        geometry.check(input: inputGradient, weight: weight, output: outputGradient)
        let engine = engines.engine(for: geometry, .data, outputGradient.elementType)
        beginCount()
        defer {
            count(
                read: outputGradient.byteCount + (accumulate ? inputGradient.byteCount : 0),
                written: inputGradient.byteCount, weight)
            release(weight, geometry)
        }
        Trace.span("convolution \(geometry) backward data") {
            parallelFor(geometry.batch) { _, images in
                for chunk in geometry.chunks(
                    of: images, outputGradient.elementType, leastPixels: engine.leastPixels)
                {
                    Meanwhile.look()
                    engine.backwardData(
                        geometry.withBatch(chunk.count), outputGradient: outputGradient.rows(chunk), weight: weight,
                        packs: packs, inputGradient: inputGradient.rows(chunk), accumulate: accumulate)
                }
            }
        }
    }

    /// weightGradient ← the gradient for the weights, added to what is there if `accumulate`.
    public func backwardWeights(
        _ geometry: ConvolutionGeometry, input: Tensor, outputGradient: Tensor, weightGradient: Tensor,
        accumulate: Bool
    ) {
        geometry.check(input: input, weight: weightGradient, output: outputGradient)
        let engine = engines.engine(for: geometry, .weights, input.elementType)
        // The first thread writes to the gradient itself, the others to memory of their own that is added in order.
        let parts = min(ComputeThreads.shared.threads, geometry.batch)
        let targets = (0..<parts).map { $0 == 0 ? weightGradient : Tensor(weightGradient.shape) }
        MemoryTraffic.count(
            read: input.byteCount + outputGradient.byteCount + (accumulate ? weightGradient.byteCount : 0),
            written: parts * weightGradient.byteCount)
        Trace.span("convolution \(geometry) backward weights") {
            parallelFor(geometry.batch) { part, images in
                engine.backwardWeights(
                    geometry.withBatch(images.count), input: input.rows(images),
                    outputGradient: outputGradient.rows(images), weightGradient: targets[part],
                    accumulate: accumulate && part == 0)
            }
            for other in targets.dropFirst() { weightGradient.addInPlace(other) }
        }
    }
}

extension ConvolutionGeometry {
    /// Bytes of a map that stay in a core's cache until they are used again.
    private static let cachedBytes = 512 << 10

    /// `images` in runs whose larger map stays in cache, but of no fewer pixels than make a good product.
    func chunks(
        of images: Range<Int>, _ type: ElementType, leastPixels: Int
    ) -> some Sequence<Range<Int>> {
        let pixels = outputHeight * outputWidth
        let bytes = max(pixels * outputChannels, height * width * inputChannels) * type.byteCount
        let size = max(1, Self.cachedBytes / bytes, (leastPixels + pixels - 1) / pixels)
        return Swift.stride(from: images.lowerBound, to: images.upperBound, by: size).lazy.map {
            $0..<min($0 + size, images.upperBound)
        }
    }

    /// The pixels of some images of the input.
    func inputPixels(_ images: Range<Int>) -> Range<Int> {
        images.lowerBound * height * width..<images.upperBound * height * width
    }

    /// Some images of the input, which are perhaps made now.
    func images(_ images: Range<Int>, of input: ReadMap, isTraced: Bool) -> Tensor {
        Trace.span("normalisation", if: isTraced && input.maker != nil) {
            input.images(images, withBatch(images.count).inputShape)
        }
    }

    /// The same of the output's gradient.
    func gradients(_ images: Range<Int>, of outputGradient: ReadMap, isTraced: Bool) -> Tensor {
        Trace.span("normalisation", if: isTraced && outputGradient.maker != nil) {
            outputGradient.images(images, withBatch(images.count).outputShape)
        }
    }
}
