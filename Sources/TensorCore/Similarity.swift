import Glibc

extension Tensor {
    /// max(x, clamp)^exponent for each cosine x (PixPro's s); below 1 an exponent gets 1e-6 added to its base first.
    public func clampedPower(clamp: Float, exponent: Float) -> Tensor {
        let result = Tensor(shape)
        let x = pointer, y = result.pointer
        parallelFor(count) { _, range in
            if exponent == 2 {
                for i in range {
                    let value = max(x[i], clamp)
                    y[i] = value * value
                }
            } else {
                let bias: Float = exponent < 1 ? 1e-6 : 0
                for i in range { y[i] = powf(max(x[i], clamp) + bias, exponent) }
            }
        }
        return result
    }

    /// gradient ← gradient · d(max(x, clamp)^exponent)/dx, where self is x.
    public func clampedPowerGradient(clamp: Float, exponent: Float, scaling gradient: Tensor) {
        precondition(gradient.count == count, "gradient \(gradient.shape) for \(shape)")
        let x = pointer, g = gradient.pointer
        parallelFor(count) { _, range in
            if exponent == 2 {
                for i in range { g[i] *= x[i] >= clamp ? 2 * x[i] : 0 }
            } else {
                let bias: Float = exponent < 1 ? 1e-6 : 0
                for i in range {
                    g[i] *= x[i] >= clamp ? exponent * powf(x[i] + bias, exponent - 1) : 0
                }
            }
        }
    }
}
