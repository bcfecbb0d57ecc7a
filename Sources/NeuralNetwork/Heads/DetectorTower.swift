import TensorCore

/// One of FCOS's two towers (Tian et al. 2019), shared over levels: 3×3 convolutions with bias, each with group
/// normalisation and rectifier behind it. Names are `0.conv`, `0.gn`, ….
package struct DetectorTower {
    private let layers: [(convolution: Convolution2D, normalization: GroupNormalization)]

    /// Channels must be a multiple of it.
    package static let groups = 32

    package init(_ scope: Scope, channels: Int, depth: Int) {
        layers = (0..<depth).map { index in
            let place = scope.child("\(index)")
            return (
                Convolution2D(
                    place.child("conv"), inputs: channels, outputs: channels, kernel: 3, padding: 1, bias: true,
                    start: .normal(deviation: 0.01)),
                GroupNormalization(place.child("gn"), channels: channels, groups: Self.groups)
            )
        }
    }

    /// x [N, H, W, channels] → the same shape.
    package func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
        layers.reduce(x) { map, layer in layer.normalization(layer.convolution(map, pass), rectify: true, pass) }
    }
}
