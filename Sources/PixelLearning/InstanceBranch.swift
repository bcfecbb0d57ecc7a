import NeuralNetwork
package import TensorCore

/// What whole images are compared by, beside their pixels.
package struct InstanceSettings: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case none
        /// −2 cos of the predicted vector and the other view's (Grill et al. 2020).
        case byol
        /// Cross-entropy against the vectors of all images of the micro-batch (Chen et al. 2020), by momentum encoder.
        case simclr
    }

    package var kind = Kind.none
    /// Of its loss in the whole.
    package var weight = 1.0
    /// Of simclr's cosines.
    package var temperature = 0.2

    package init() {}
}

/// The vectors of a micro-batch's images on all ranks, as the momentum network has them.
package struct InstanceKeys {
    /// [images, C], unit.
    package let vectors: Tensor
    /// Where this rank's images begin.
    package let first: Int

    package init(vectors: Tensor, first: Int = 0) { (self.vectors, self.first) = (vectors, first) }
}

/// The branch that compares whole images: a projector and, for byol, a predictor on C5.
package final class InstanceBranch {
    private let settings: InstanceSettings
    private let projector, momentumProjector: Projector
    private let predictor: Projector?

    /// Registers `projector_instance` and `predictor` online, `projector_instance_k` in `twin`.
    init(_ settings: InstanceSettings, _ online: Scope, _ twin: Scope, inputs: Int, width: Int, projection: Int) {
        self.settings = settings
        projector = Projector(online.child("projector_instance"), inputs: inputs, width: width, outputs: projection)
        predictor =
            settings.kind == .byol
            ? Projector(online.child("predictor"), inputs: projection, width: width, outputs: projection) : nil
        momentumProjector = Projector(
            twin.child("projector_instance_k"), inputs: inputs, width: width, outputs: projection)
    }

    /// C5 [N, H, W, C] → unit vectors [N, projection] that learn.
    func query(_ features: Variable, _ pass: Pass) throws -> Variable {
        guard let predictor else { return normalizeRows(try pooledFirst(features, projector, pass), pass) }
        let dense = cast(try projector(features, pass), to: pass.elementType, pass)
        return normalizeRows(globalAveragePool(try predictor(dense, pass), pass), pass)
    }

    /// The momentum network's C5 → unit vectors [N, projection].
    func key(_ features: Variable, _ pass: Pass) throws -> Tensor {
        if settings.kind == .simclr {
            return normalizeRows(try pooledFirst(features, momentumProjector, pass), pass).value
        }
        return normalizeRows(globalAveragePool(try momentumProjector(features, pass), pass), pass).value
    }

    /// Pooled first, so that the projector's normalisation sees one vector of each image.
    private func pooledFirst(_ features: Variable, _ projector: Projector, _ pass: Pass) throws -> Variable {
        let pooled = globalAveragePool(features, pass), shape = pooled.value.shape
        let projected = try projector(reshape(pooled, [shape[0], 1, 1, shape[1]], pass), pass)
        return reshape(projected, [shape[0], projected.value.shape[3]], pass)
    }

    /// One direction's loss, which learns with `query`, [N, C]: each image counts `imageWeight`.
    func loss(
        query: Variable, keys: InstanceKeys, imageWeight: Double, _ pass: Pass
    ) -> (loss: Double, variable: Variable) {
        let (images, channels) = (query.value.shape[0], query.value.shape[1])
        if settings.kind == .simclr {
            let all = keys.vectors.shape[0], mask = Tensor.zeros([images, all])
            for image in 0..<images { mask.floats[image * all + keys.first + image] = 1 }
            let gradient = Tensor([images, channels])
            let loss = contrast(
                query.value, keys.vectors, mask: mask, weights: [Double](repeating: imageWeight, count: images),
                temperature: settings.temperature, into: gradient)
            return (loss, weighted(loss, query, gradient, pass))
        }
        let own = keys.vectors.rows(keys.first..<keys.first + images)
        let loss = -2 * imageWeight * query.value.innerProduct(own)
        let result = pass.output(Tensor([1], [Float(loss)]), of: [query]) { seed in
            let gradient = own.copy()
            gradient.scaleInPlace(Float(-2 * imageWeight) * seed.floats[0])
            query.receive(gradient)
        }
        return (loss, result)
    }
}
