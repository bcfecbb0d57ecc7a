package import NeuralNetwork
import TensorCore

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
        /// How evenly it spreads its weights: 0 where each pixel looks at one other, 1 where it looks at all alike; nil
        /// where it was not asked for.
        package let entropy: Double?
    }

    /// Projections [N, H, W, channels] → propagated pixels.
    package func callAsFunction(_ x: Variable, measuresEntropy: Bool = false, _ pass: Pass) throws -> Output {
        var values = try transformed(x, pass)
        if dialect.normalizesValues { values = normalizeRows(values, pass) }
        let propagation = SimilarityPropagation(clamp: clamp, exponent: gamma)
        return propagate(
            unit: normalizeRows(x, pass), values: values, propagation, measuresEntropy: measuresEntropy, pass)
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

/// y = s(U Uᵀ) V for each image; `unit` and `values` are [N, H, W, C].
private func propagate(
    unit: Variable, values: Variable, _ propagation: SimilarityPropagation, measuresEntropy: Bool, _ pass: Pass
) -> PixelPropagation.Output {
    let shape = unit.value.shape, flat = [shape[0], shape[1] * shape[2], shape[3]]
    let u = unit.value.reshaped(flat), v = values.value.reshaped(flat)
    let (output, entropy) = propagation(unit: u, values: v, measuresEntropy: measuresEntropy)
    let pixels = pass.output(output.reshaped(shape), of: [unit, values]) { dy in
        let gradients = propagation.gradients(unit: u, values: v, outputGradient: dy.reshaped(flat))
        values.receive(gradients.values)
        unit.receive(gradients.unit)
    }
    return PixelPropagation.Output(pixels: pixels, entropy: entropy)
}
