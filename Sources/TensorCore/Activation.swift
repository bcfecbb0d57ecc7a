import CKernels
import CVector

/// What a unit makes of its sum. The slopes of all can be told from what they give.
public enum Activation: Sendable, Equatable {
    case identity
    /// max(x, 0).
    case rectifier
    /// x above 0, eˣ − 1 elsewhere (ELU, Clevert et al. 2016).
    case exponentialLinear
    /// x above 0, slope · x elsewhere; the slope is above 0 and below 1.
    case leakyRectifier(slope: Float)

    @inline(__always)
    fileprivate func value(_ x: SIMD8<Float>) -> SIMD8<Float> {
        // In this order NaN comes through, by the second part.
        let zero = SIMD8<Float>(), negative = cvector_minimum(x, zero), positive = cvector_maximum(zero, x)
        switch self {
        case .identity: return x
        case .rectifier: return positive
        case .exponentialLinear: return positive + (exponential(negative) - 1)
        case .leakyRectifier(let slope): return positive + negative * slope
        }
    }

    /// What kernels call it, and its slope below 0 where it has one of its own; nil for what changes nothing.
    fileprivate var kernel: (activation: kernels_activation, slope: Float)? {
        switch self {
        case .identity: nil
        case .rectifier: (kernels_rectifier, 0)
        case .exponentialLinear: (kernels_exponential_linear, 0)
        case .leakyRectifier(let slope): (kernels_leaky_rectifier, slope)
        }
    }

    /// The slope where the activation gave y; at 0 that of what is below.
    @inline(__always)
    fileprivate func slope(_ y: SIMD8<Float>) -> SIMD8<Float> {
        let one = SIMD8<Float>(repeating: 1), isAbove = y .> 0
        switch self {
        case .identity: return one
        case .rectifier: return SIMD8(repeating: 0).replacing(with: one, where: isAbove)
        case .exponentialLinear: return (y + 1).replacing(with: one, where: isAbove)
        case .leakyRectifier(let slope): return SIMD8(repeating: slope).replacing(with: one, where: isAbove)
        }
    }
}

extension Tensor {
    /// self [rows…, C] ← activation(self + bias), the bias being float32 [C].
    public func activate(_ activation: Activation, addingToRows bias: Tensor) {
        let columns = bias.count
        precondition(shape.last == columns, "bias \(bias.shape) for \(shape)")
        MemoryTraffic.count(read: byteCount, written: byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) {
            // SAFETY: rows cover the tensor once; lanes end with a row.
            let y = elements(type), b = bias.pointer
            let kernels = Element.activation(columns: columns), kernel = activation.kernel
            parallelFor(count / columns) { _, rows in
                if let kernels, let kernel {
                    return kernels.activate(
                        kernel.activation, kernel.slope, b, rows.count, columns, y + rows.lowerBound * columns)
                }
                for row in rows {
                    let target = y + row * columns
                    forEachEight(columns) { c, lanes in
                        let sum = Element.load(target + c, lanes: lanes) + Float.load(b + c, lanes: lanes)
                        Element.store(activation.value(sum), target + c, lanes: lanes)
                    }
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// activation(self).
    public func activated(_ activation: Activation) -> Tensor {
        let result = Tensor(shape, elementType)
        MemoryTraffic.count(read: byteCount, written: byteCount)
        func run<Element: KernelElement>(_ type: Element.Type) {
            // SAFETY: parts cover both tensors, which are of one shape, once.
            let x = elements(type), y = result.elements(type)
            parallelFor(count) { _, range in
                forEachEight(range.count) { i, lanes in
                    let at = range.lowerBound + i
                    Element.store(activation.value(Element.load(x + at, lanes: lanes)), y + at, lanes: lanes)
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
        return result
    }

    /// gradient ← gradient · activation′, self being what the activation gave.
    public func scaleBySlope(of activation: Activation, _ gradient: Tensor) {
        precondition(
            count == gradient.count && elementType == gradient.elementType,
            "gradient \(gradient.elementType) \(gradient.shape) for output \(elementType) \(shape)")
        guard let kernel = activation.kernel else { return }
        MemoryTraffic.count(read: byteCount + gradient.byteCount, written: gradient.byteCount)
        let columns = max(shape.last ?? 1, 1)
        func run<Element: KernelElement>(_ type: Element.Type) {
            // SAFETY: rows cover both tensors, which are of one shape, once.
            let y = elements(type), dy = gradient.elements(type), kernels = Element.activation(columns: columns)
            parallelFor(count / columns) { _, rows in
                let first = rows.lowerBound * columns, length = rows.count * columns
                if let kernels {
                    return kernels.scale_by_slope(kernel.activation, kernel.slope, y + first, length, dy + first)
                }
                forEachEight(length) { i, lanes in
                    let at = first + i, slope = activation.slope(Element.load(y + at, lanes: lanes))
                    Element.store(Element.load(dy + at, lanes: lanes) * slope, dy + at, lanes: lanes)
                }
            }
        }
        elementType == .float32 ? run(Float.self) : run(BFloat16.self)
    }

    /// self within ±limit.
    public func clipped(to limit: Float) -> Tensor {
        let result = Tensor(shape), x = pointer, y = result.pointer
        MemoryTraffic.count(read: byteCount, written: byteCount)
        parallelFor(count) { _, range in
            for i in range { y[i] = min(max(x[i], -limit), limit) }
        }
        return result
    }

    /// gradient ← gradient where self is within ±limit, or at it; 0 elsewhere.
    public func clipGradient(to limit: Float, _ gradient: Tensor) {
        precondition(count == gradient.count, "gradient \(gradient.shape) for input \(shape)")
        let x = pointer, dy = gradient.pointer
        MemoryTraffic.count(read: byteCount + gradient.byteCount, written: gradient.byteCount)
        parallelFor(count) { _, range in
            for i in range { dy[i] = abs(x[i]) <= limit ? dy[i] : 0 }
        }
    }
}
