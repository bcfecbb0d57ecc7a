import TensorCore

/// Normalisation of each image over its pixels and the channels of a group, with the rectifier that may follow.
///
/// Wu and He 2018; 32 groups and ε = 1e-5 as FCOS has them. It knows no batch: images have no influence on each other.
package final class GroupNormalization {
    package let scale: Parameter
    package let shift: Parameter
    private let groups: Int

    package static let epsilon = 1e-5

    /// `channels` must be a multiple of `groups`.
    package init(_ scope: Scope, channels: Int, groups: Int = 32) {
        precondition(channels % groups == 0, "\(channels) channels cannot be shared among \(groups) groups")
        self.groups = groups
        scale = scope.parameter("weight", [channels], .constant(1))
        shift = scope.parameter("bias", [channels], .constant(0))
    }

    /// x [N, H, W, C] → rectifier(normalised x · scale + shift), which is kept nowhere: convolutions make it from x where they
    /// read it.
    package func callAsFunction(_ x: Variable, rectify: Bool = false, _ pass: Pass) -> Variable {
        let channels = scale.value.count, input = x.value
        precondition(input.shape.last == channels, "\(scale.name) has \(channels) channels, input \(input.shape)")
        let maps = (0..<input.shape[0]).map { image in
            ImageMap(input.rows(image..<image + 1), scale: scale, shift: shift, groups: groups)
        }
        let content = LazyValue(input.shape, input.elementType, passing: maker(of: input, maps, rectify: rectify))
        return pass.output(content, of: [x], [scale, shift], file: #fileID, function: #function) { [self] dy in
            let sums = Accumulators(2 * channels)
            for (image, map) in maps.enumerated() {
                writeInputGradient(
                    input.rows(image..<image + 1), dy.rows(image..<image + 1), map, rectify: rectify, addingTo: sums)
            }
            scale.accumulate { gradient, beta in gradient.add(sums.values[..<channels], beta: beta) }
            shift.accumulate { gradient, beta in gradient.add(sums.values[channels...], beta: beta) }
            x.receive(dy)
        }
    }

    private func maker(of x: Tensor, _ maps: [ImageMap], rectify: Bool) -> MadeMap {
        let channels = scale.value.count, area = x.shape[1] * x.shape[2]
        return MadeMap(columns: channels, bytesRead: x.byteCount) { pixels, target in
            let target = target.matrix(columns: channels)
            var first = pixels.lowerBound
            while first < pixels.upperBound {
                let image = first / area, end = min((image + 1) * area, pixels.upperBound)
                x.affineRows(
                    first..<end, scale: maps[image].scale, shift: maps[image].shift, residual: nil, rectify: rectify,
                    into: target.rows(first - pixels.lowerBound..<end - pixels.lowerBound))
                first = end
            }
        }
    }

    /// With x̂ = (x − μ)/σ of an image's group of m numbers: dγ = Σ dy·x̂, dβ = Σ dy,
    /// dx = (γ dy − Σ γ dy / m − x̂ · Σ γ dy x̂ / m) / σ, the sums being over the group.
    ///
    /// dx takes the place of dy, which is what the rectifier lets through; [dγ, dβ] is added to `total`.
    private func writeInputGradient(
        _ x: Tensor, _ dy: Tensor, _ map: ImageMap, rectify: Bool, addingTo total: Accumulators
    ) {
        let channels = map.scale.count, width = channels / groups, gamma = scale.value.floats
        let cut: NormalizationRectifier = rectify ? .ofAffine(scale: map.scale, shift: map.shift) : .none
        let sums = x.gradientMoments(gradient: dy, rectifier: cut)
        let slope = Tensor([channels]), constant = Tensor([channels])
        for group in 0..<groups {
            let mean = map.mean[group], inverse = map.inverseDeviation[group], own = group * width..<(group + 1) * width
            var plain = 0.0, along = 0.0
            for c in own {
                let normalized = (sums[channels + c] - mean * sums[c]) * inverse
                total[c] += normalized
                total[channels + c] += sums[c]
                plain += Double(gamma[c]) * sums[c]
                along += Double(gamma[c]) * normalized
            }
            let count = Double(x.count / groups)
            for c in own {
                let factor = -inverse * inverse * along / count
                slope.floats[c] = Float(factor)
                constant.floats[c] = Float(-inverse * plain / count - factor * mean)
            }
        }
        x.normalizationGradient(gradient: dy, rectifier: cut, a: map.scale, b: slope, c: constant, into: dy)
    }

    /// What happens to one image: normalisation and affine map of each channel as one product and one sum.
    private struct ImageMap {
        /// [C].
        let scale, shift: Tensor
        /// By group.
        let mean, inverseDeviation: Accumulators

        init(_ x: Tensor, scale: Parameter, shift: Parameter, groups: Int) {
            let channels = scale.value.count, width = channels / groups, count = Double(x.count / groups)
            let moments = x.columnMoments()
            (self.scale, self.shift) = (Tensor([channels]), Tensor([channels]))
            (mean, inverseDeviation) = (Accumulators(groups), Accumulators(groups))
            for group in 0..<groups {
                let own = group * width..<(group + 1) * width
                let mean = own.reduce(0.0) { $0 + moments[$1] } / count
                let square = own.reduce(0.0) { $0 + moments[channels + $1] } / count
                let inverse = 1 / (max(square - mean * mean, 0) + GroupNormalization.epsilon).squareRoot()
                (self.mean[group], inverseDeviation[group]) = (mean, inverse)
                for c in own {
                    let gamma = Double(scale.value.floats[c])
                    self.scale.floats[c] = Float(gamma * inverse)
                    self.shift.floats[c] = Float(Double(shift.value.floats[c]) - mean * gamma * inverse)
                }
            }
        }
    }
}
