/// A map that is made some pixels at a time, each just before it is read: on any thread, other pixels on others meanwhile.
public struct MadeMap {
    /// Channels of a pixel.
    public let columns: Int
    /// What making all of it reads beyond the cache.
    public let bytesRead: Int
    let writePixels: (_ pixels: Range<Int>, _ target: Tensor) -> Void

    public init(columns: Int, bytesRead: Int, write: @escaping (_ pixels: Range<Int>, _ target: Tensor) -> Void) {
        (self.columns, self.bytesRead, writePixels) = (columns, bytesRead, write)
    }

    /// target ← all of it, on all compute threads.
    public func write(into target: Tensor) {
        let pixels = target.matrix(columns: columns)
        parallelFor(pixels.shape[0]) { _, range in writePixels(range, pixels.rows(range)) }
    }

    /// target ← these pixels, of which it has as many, on the calling thread.
    public func write(_ pixels: Range<Int>, into target: Tensor) { writePixels(pixels, target) }
}

/// A map that is read image by image: from memory, or made there, or made and kept nowhere.
public struct ReadMap {
    let memory: Tensor?
    let maker: MadeMap?
    public let elementType: ElementType

    public init(_ memory: Tensor) { (self.memory, maker, elementType) = (memory, nil, memory.elementType) }

    /// One that reading writes to `memory`.
    public init(_ memory: Tensor, madeBy maker: MadeMap) {
        (self.memory, self.maker, elementType) = (memory, maker, memory.elementType)
    }

    /// One that is kept nowhere.
    public init(_ elementType: ElementType, madeBy maker: MadeMap) {
        (memory, self.maker, self.elementType) = (nil, maker, elementType)
    }

    var isKept: Bool { memory != nil }

    /// What reading all of it reads beyond the cache. What is made in memory is read from the cache; its maker's operation
    /// has counted what that moves.
    var bytesRead: Int {
        guard let maker else { return memory?.byteCount ?? 0 }
        return isKept ? 0 : maker.bytesRead
    }

    /// Some images, of `shape` together, on the calling thread.
    func images(_ images: Range<Int>, _ shape: [Int]) -> Tensor {
        let part = memory?.rows(images) ?? Tensor(shape, elementType), pixels = shape[1] * shape[2]
        maker?.writePixels(images.lowerBound * pixels..<images.upperBound * pixels, part)
        return part
    }
}

/// Where a backward pass leaves a gradient.
public struct GradientTarget {
    let tensor: Tensor
    /// Whether it is added to what is there.
    let accumulates: Bool

    public init(_ tensor: Tensor, accumulates: Bool) { (self.tensor, self.accumulates) = (tensor, accumulates) }

    var bytesRead: Int { accumulates ? tensor.byteCount : 0 }
}

/// Sums over the gradient of a normalisation's output, taken of each part as soon as it is complete, while that is in cache.
public struct GradientSums {
    /// What is normalised.
    private let x: Tensor
    private let rectifier: NormalizationRectifier

    /// Those of `Tensor.gradientMoments`, x being the normalisation's input.
    public init(momentsWith x: Tensor, rectifier: NormalizationRectifier) {
        (self.x, self.rectifier) = (x, rectifier)
    }

    var width: Int { 2 * x.shape.last! }

    /// What taking them reads beyond the cache.
    ///
    /// - Parameters:
    ///   - isOutputRead: whether the normalisation's output is read for the same pixels anyway.
    ///   - isInputRead: the same of its input.
    func bytesRead(isOutputRead: Bool, isInputRead: Bool) -> Int {
        var bytes = isInputRead ? 0 : x.byteCount
        if case .ofOutput(let output) = rectifier, !isOutputRead { bytes += output.byteCount }
        return bytes
    }

    /// Adds those of some pixels to `sums`, on the calling thread; a gradient that an output gates is gated in place.
    func add(_ pixels: Range<Int>, _ gradient: Tensor, to sums: UnsafeMutablePointer<Double>) {
        x.addGradientMoments(rows: pixels, gradient: gradient, rectifier: rectifier, into: sums)
    }
}
