import TensorCore

/// A fully convolutional segmentation head (Long et al. 2015; MoCo's recipe): two dilated 3×3 convolutions with batch
/// normalisation and rectifier, and a 1×1 convolution to the classes. Names are mmsegmentation's.
package struct FCNHead {
    private let convolutions: [NormalizedConvolution]
    private let classifier: Convolution2D

    package init(_ scope: Scope, inputs: Int, channels: Int, classes: Int, dilation: Int = 6) {
        convolutions = (0..<2).map { index in
            let place = scope.child("convs").child("\(index)")
            return NormalizedConvolution(
                Convolution2D(
                    place.child("conv"), inputs: index == 0 ? inputs : channels, outputs: channels, kernel: 3,
                    padding: dilation, dilation: dilation, start: .pytorchDefault),
                BatchNormalization(place.child("bn"), channels: channels))
        }
        classifier = Convolution2D(
            scope.child("conv_seg"), inputs: channels, outputs: classes, bias: true, start: .pytorchDefault)
    }

    /// C5 [N, h, w, inputs] → float32 logits [N, h, w, classes].
    package func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        let features = try convolutions.reduce(x) { map, layer in try layer(map, rectify: true, pass) }
        return cast(classifier(features, pass), to: .float32, pass)
    }
}
