package import NeuralNetwork
package import TensorCore

/// The pixel propagation module: every pixel becomes the sum of all pixels' transforms, weighted by similarity.
///
/// y_i = Σ_j max(cos(x_i, x_j), clamp)^γ · g(x_j) (PixPro, Eq. 3 and 4); the official dialect normalises g(x_j).
package final class PixelPropagation {
    private let transform: Transform
    private let gamma: Float
    private let clamp: Float
    private let dialect: Dialect

    /// g: `layers` linear layers with a normalisation and a rectifier between two of them.
    private enum Transform {
        case identity
        case linear(Convolution2D)
        case twoLayers(Convolution2D, BatchNormalization, Convolution2D)
    }

    package init(_ scope: Scope, channels: Int, layers: Int, gamma: Double, clamp: Double, dialect: Dialect) {
        func linear(_ scope: Scope) -> Convolution2D {
            Convolution2D(scope, inputs: channels, outputs: channels, bias: true, start: .pytorchDefault)
        }
        switch layers {
        case 0: transform = .identity
        case 1: transform = .linear(linear(scope))
        case 2:
            transform = .twoLayers(
                linear(scope.child("0")), BatchNormalization(scope.child("1"), channels: channels),
                linear(scope.child("3")))
        default: preconditionFailure("\(layers) transform layers; 0, 1 or 2 are defined")
        }
        self.gamma = Float(gamma)
        self.clamp = Float(clamp)
        self.dialect = dialect
    }

    /// What the module makes of projections.
    package struct Output {
        /// [N, H, W, channels], as the projections.
        package let pixels: Variable
        /// What each pixel weighs all pixels with, [N, H·W, H·W].
        package let weights: Tensor
    }

    /// Projections [N, H, W, channels] → propagated pixels.
    package func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Output {
        var values = try transformed(x, pass)
        if dialect.normalizesValues { values = normalizeRows(values, pass) }
        return propagate(unit: normalizeRows(x, pass), values: values, gamma: gamma, clamp: clamp, pass)
    }

    private func transformed(_ x: Variable, _ pass: Pass) throws -> Variable {
        switch transform {
        case .identity: x
        case .linear(let layer): layer(x, pass)
        case .twoLayers(let first, let normalization, let second):
            second(try normalization(first(x, pass), rectify: true, pass), pass)
        }
    }
}

/// y = s(U Uᵀ) V for each image, with s(c) = max(c, clamp)^γ; `unit` and `values` are [N, H, W, C].
func propagate(
    unit: Variable, values: Variable, gamma: Float, clamp: Float, _ pass: Pass
) -> PixelPropagation.Output {
    let shape = unit.value.shape
    let (images, pixels, channels) = (shape[0], shape[1] * shape[2], shape[3])
    let u = unit.value.reshaped([images, pixels, channels]), v = values.value.reshaped([images, pixels, channels])
    let cosines = Tensor([images, pixels, pixels])
    cosines.product(u, u, transposeB: true)
    let similarities = cosines.clampedPower(clamp: clamp, exponent: gamma)
    let output = Tensor(shape)
    output.reshaped(u.shape).product(similarities, v)
    let propagated = pass.output(output, of: [unit, values]) { gradient in
        let dy = gradient.reshaped(u.shape)
        let dv = Tensor(u.shape)
        dv.product(similarities, dy, transposeA: true)
        values.receive(dv)
        // dC = (dy vᵀ) ⊙ s′(C); C = U Uᵀ has u on both sides: dU = (dC + dCᵀ) U.
        let dCosines = Tensor(cosines.shape)
        dCosines.product(dy, v, transposeB: true)
        cosines.clampedPowerGradient(clamp: clamp, exponent: gamma, scaling: dCosines)
        let du = Tensor(u.shape)
        du.product(dCosines, u)
        du.product(dCosines, u, transposeA: true, beta: 1)
        unit.receive(du)
    }
    return PixelPropagation.Output(pixels: propagated, weights: similarities)
}
