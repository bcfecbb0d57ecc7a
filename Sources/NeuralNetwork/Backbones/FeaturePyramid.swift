import TensorCore

/// The pyramid of Lin et al. 2017 on a backbone's levels: coarse maps, enlarged, are added to finer ones.
///
/// M_l = lateral_l(C_l) + M_(l+1) enlarged to its size, P_l = output_l(M_l), all of `channels` channels. Names are
/// `lateral3.conv`, `output3.conv`, and beside them `.bn` where each convolution has a normalisation and no bias.
package final class FeaturePyramid {
    /// P3, …, finest first.
    package let levels: [BackboneLevel]
    private let laterals, outputs: [PyramidConvolution]
    /// P6 and P7: convolutions of stride 2 on the level before, rectified from the second on.
    private let tops: [Convolution2D]

    /// - Parameters:
    ///   - inputs: the backbone's levels C_l, finest first.
    ///   - normalizes: whether batch normalisation follows each convolution, as in pretraining.
    ///   - topLevels: further levels on top of the coarsest: P6, or P6 and P7.
    package init(_ scope: Scope, inputs: [BackboneLevel], channels: Int, normalizes: Bool, topLevels: Int = 0) {
        precondition(
            !inputs.isEmpty && (0...2).contains(topLevels), "a pyramid of \(inputs.count) + \(topLevels) levels")
        func convolutions(_ name: String, kernel: Int, _ channelsIn: (BackboneLevel) -> Int) -> [PyramidConvolution] {
            inputs.map { level in
                PyramidConvolution(
                    scope.child(name + level.number), inputs: channelsIn(level), outputs: channels, kernel: kernel,
                    normalizes: normalizes)
            }
        }
        laterals = convolutions("lateral", kernel: 1, \.channels)
        outputs = convolutions("output", kernel: 3) { _ in channels }
        let top = inputs[inputs.count - 1], number = Int(top.number) ?? 5
        tops = (0..<topLevels).map {
            Convolution2D(
                scope.child("p\(number + 1 + $0)"), inputs: channels, outputs: channels, kernel: 3, stride: 2,
                padding: 1, bias: true, start: .xavierFill)
        }
        levels =
            inputs.map { BackboneLevel(name: "P" + $0.number, stride: $0.stride, channels: channels) }
            + (0..<topLevels).map {
                BackboneLevel(name: "P\(number + 1 + $0)", stride: top.stride << ($0 + 1), channels: channels)
            }
    }

    /// The backbone's maps of the levels, finest first → those of the pyramid.
    package func callAsFunction(_ maps: [Variable], _ pass: Pass) throws -> [Variable] {
        precondition(maps.count == laterals.count, "\(maps.count) maps for a pyramid on \(laterals.count) levels")
        var merged: Variable?, pyramid: [Variable] = []
        for level in maps.indices.reversed() {
            var lateral = try laterals[level](maps[level], pass)
            if let coarser = merged {
                let shape = lateral.value.shape
                lateral = add(lateral, enlarge(coarser, height: shape[1], width: shape[2], pass), pass)
            }
            merged = lateral
            pyramid.insert(try outputs[level](lateral, pass), at: 0)
        }
        for (index, top) in tops.enumerated() {
            let below = pyramid[pyramid.count - 1]
            pyramid.append(top(index == 0 ? below : rectify(below, pass), pass))
        }
        return pyramid
    }
}

/// A convolution of a pyramid: with a bias, or with a normalisation behind it.
private enum PyramidConvolution {
    case plain(Convolution2D)
    case normalized(NormalizedConvolution)

    init(_ scope: Scope, inputs: Int, outputs: Int, kernel: Int, normalizes: Bool) {
        let convolution = Convolution2D(
            scope.child("conv"), inputs: inputs, outputs: outputs, kernel: kernel, padding: kernel / 2,
            bias: !normalizes, start: normalizes ? .xavier : .xavierFill)
        self =
            normalizes
            ? .normalized(
                NormalizedConvolution(convolution, BatchNormalization(scope.child("bn"), channels: outputs)))
            : .plain(convolution)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) throws -> Variable {
        switch self {
        case .plain(let convolution): convolution(x, pass)
        case .normalized(let convolution): try convolution(x, pass)
        }
    }
}
