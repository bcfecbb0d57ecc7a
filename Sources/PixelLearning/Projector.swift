package import NeuralNetwork
import TensorCore

/// 1×1 convolution, normalisation, rectifier, 1×1 convolution to the projection; both convolutions have a bias.
package final class Projector {
    private let linear1, linear2: Convolution2D
    private let bn1: BatchNormalization

    package init(_ scope: Scope, inputs: Int, width: Int, outputs: Int) {
        linear1 = Convolution2D(
            scope.child("linear1"), inputs: inputs, outputs: width, bias: true, start: .pytorchDefault)
        bn1 = BatchNormalization(scope.child("bn1"), channels: width)
        linear2 = Convolution2D(
            scope.child("linear2"), inputs: width, outputs: outputs, bias: true, start: .pytorchDefault)
    }

    /// C5 [N, H, W, C] → float32 [N, H, W, outputs].
    package func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        cast(linear2(try bn1(linear1(x, pass), rectify: true, passes: true, pass), pass), to: .float32, pass)
    }
}
