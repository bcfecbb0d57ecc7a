package import NeuralNetwork
package import TensorCore

/// Judges pictures by one number: four 5×5 convolutions of stride 2 with leaky rectifiers, and a linear map.
package struct Critic {
    private let layers: [ActivatedConvolution]
    private let linear: Linear

    /// - Parameters:
    ///   - side: of the square pictures it sees.
    ///   - outputs: channels of its layers.
    package init(_ scope: Scope, side: Int, outputs: [Int]) {
        var inputs = 3, size = side
        let features = scope.child("features")
        layers = outputs.enumerated().map { index, count in
            defer { (inputs, size) = (count, (size + 1) / 2) }
            return ActivatedConvolution(
                Convolution2D(
                    features.child("conv\(index + 1)"), inputs: inputs, outputs: count, kernel: 5, stride: 2,
                    padding: .same, bias: true, start: .xavier), .leakyRectifier(slope: 0.2))
        }
        linear = Linear(scope.child("linear"), inputs: inputs * size * size, outputs: 1, start: .xavier)
    }

    /// pictures [N, side, side, 3] of float32 → [N, 1].
    package func callAsFunction(_ pictures: Variable, _ pass: Pass) -> Variable {
        let maps = layers.reduce(cast(pictures, to: pass.elementType, pass)) { $1($0, pass) }
        return linear(flattenChannels(cast(maps, to: .float32, pass), pass), pass)
    }

    /// The gradient of each picture's score for its pixels, [N, side, side, 3] of float32, with a way back to the weights:
    /// the critic's own backward pass, written in operations. At a point of `pictures`, which get no gradient.
    package func pictureGradient(_ pictures: Tensor, _ pass: Pass) -> Variable {
        // Slopes are constant between the kinks, so that the way there needs no way back.
        let there = Pass(
            mode: pass.mode, statistics: pass.statistics, elementType: pass.elementType, convolutions: pass.convolutions
        )
        var maps = [pictures.cast(to: pass.elementType)]
        for layer in layers { maps.append(layer(Variable(maps.last!), there).value) }
        let ones = Tensor([pictures.shape[0], 1])
        ones.fill(1)
        let flat = linear.inputGradient(Variable(ones), pass)
        var gradient = cast(unflattenChannels(flat, maps.last!.shape, pass), to: pass.elementType, pass)
        for index in layers.indices.reversed() {
            gradient = layers[index].inputGradient(
                gradient, output: maps[index + 1], shape: maps[index].shape, pass)
        }
        return cast(gradient, to: .float32, pass)
    }
}

/// The two judges: one sees whole pictures, the other the surroundings of holes.
package final class Critics {
    package let state: ModelState
    package let global, local: Critic

    /// For training pictures of this side; the local one sees half of it.
    package init(channels c: Int, side: Int, seed: UInt64?) {
        state = ModelState(seed: seed)
        let root = Scope(state, path: "critics")
        global = Critic(root.child("global"), side: side, outputs: [2 * c, 4 * c, 8 * c, 8 * c])
        local = Critic(root.child("local"), side: side / 2, outputs: [2 * c, 4 * c, 8 * c, 16 * c])
    }
}
