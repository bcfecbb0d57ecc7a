import Checkpointing
package import MessagePassing
package import NeuralNetwork
package import TensorCore

/// Holds tensors of a run against those of a reference, over all ranks, and keeps the account.
package final class ReferenceComparison {
    package let reference: ReferenceFile
    package let communicator: any Collective
    /// Those of this rank, of a step's.
    package let images: Range<Int>
    private let allImages: Int
    package var report: VerificationReport

    /// How many times the reference's own drift an error may be.
    package static let driftFactor = 4.0
    /// No tensor is asked to be closer than this.
    package static let floor = 1e-5
    /// Nor is one that is zero but for rounding, as the gradient of a bias before a normalisation, asked to be closer
    /// than this: a ten-millionth of the largest norm of its kind.
    package static let roundingFloor = 0.1
    /// What a handful of rectifiers on the other side of zero may do to all gradients together.
    package static let wholeGradientFloor = 1e-2

    init(
        _ reference: ReferenceFile, images: Range<Int>, of allImages: Int, threads: [Int],
        communicator: any Collective
    ) {
        (self.reference, self.images, self.allImages) = (reference, images, allImages)
        self.communicator = communicator
        report = VerificationReport(threads: threads)
    }

    /// How far a loss may be from `expected`, whose float32 run was `drift` from it: relative where it is above 1.
    package static func tolerance(of expected: Double, drift: Double) -> Double {
        max(driftFactor * drift, floor) * max(1, abs(expected))
    }

    /// Adds a row for a loss of an update.
    ///
    /// - Parameter isFirst: whether it starts from the reference's weights, to their last bit or nearly: nothing excuses an error
    ///   there.
    package func compareLoss(_ loss: ReferenceLoss, update: Int, isFirst: Bool) {
        report.losses.append(
            .init(
                step: update, term: loss.part, loss: loss.value, expected: loss.expected,
                allowed: Self.tolerance(of: loss.expected, drift: isFirst ? 0 : loss.drift)))
    }

    /// Compares maps [images, H, W, C] or vectors [images, C] of this rank's images. Collective.
    package func compareMaps(_ kind: String, as title: String? = nil, _ maps: [String: Tensor]) throws {
        let expected = maps.keys.sorted().map { name in
            // Maps are [N, C, H, W] there, vectors [N, C].
            let shape = maps[name]!.shape
            return (name: name, shape: [allImages, shape.last!] + shape.dropFirst().dropLast())
        }
        try compare(kind, as: title, expected) { name in
            let map = maps[name]!, channels = map.shape.last!
            let ours = map.permutedInner(
                outer: images.count, rows: map.count / (images.count * channels), columns: channels)
            return (ours, try reference.file.readTensor("expected.\(kind).\(name)").rows(images))
        }
    }

    /// Compares tensors [images, …] of this rank's images that are laid out as the reference's. Collective.
    package func compareRows(_ kind: String, _ tensors: [String: Tensor]) throws {
        try compare(kind, tensors.keys.sorted().map { ($0, [allImages] + tensors[$0]!.shape.dropFirst()) }) { name in
            let expected = try reference.file.readTensor("expected." + ReferenceFile.key(kind, name))
            return (tensors[name]!, expected.rows(images))
        }
    }

    /// Compares tensors that every rank holds whole. Collective.
    package func compareWhole(_ kind: String, _ entries: [StateDictionary.Entry]) throws {
        let byName = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
        try compare(kind, entries.map { ($0.name, $0.shape) }) { name in
            (byName[name]!.read(), try reference.file.readTensor("expected." + ReferenceFile.key(kind, name)))
        }
    }

    /// Compares all gradients together, as training's kernels make them. Collective.
    func compareGradientAsOne(_ entries: [StateDictionary.Entry]) throws {
        try reference.requireExpectations("gradient", entries.map { ($0.name, $0.shape) })
        var squares = (error: 0.0, expected: 0.0)
        for entry in entries {
            let expected = try reference.file.readTensor("expected.gradient.\(entry.name)")
            squares.error += entry.read().squaredDistance(to: expected)
            squares.expected += expected.sumOfSquares
        }
        let drift = reference.drifts["gradient"]!.values.max()!
        report.tensors.append(
            .init(
                kind: Self.trainingKernels, name: "gradient", error: (squares.error / squares.expected).squareRoot(),
                allowed: max(Self.driftFactor * drift, Self.wholeGradientFloor)))
    }

    /// The title of what is computed as training computes.
    static let trainingKernels = "training kernels"

    /// Adds a row per tensor: |ours − expected| / (|expected| + 1e-6 M), M the kind's largest norm, against four times
    /// the larger of the tensor's drift and its kind's median, or the least that is asked for.
    private func compare(
        _ kind: String, as title: String? = nil, _ expected: [(name: String, shape: [Int])],
        _ pair: (String) throws -> (Tensor, Tensor)
    ) throws {
        try reference.requireExpectations(kind, expected)
        let drifts = try Dictionary(
            uniqueKeysWithValues: expected.map { ($0.name, try reference.drift(ReferenceFile.key(kind, $0.name))) })
        let median = drifts.values.median!
        var squares: [Double] = []
        for (name, _) in expected {
            let (ours, theirs) = try pair(name)
            squares += [ours.squaredDistance(to: theirs), theirs.sumOfSquares]
        }
        // Features are spread over ranks; what every rank holds whole counts once for each rank in both sums.
        squares = try communicator.sum(squares)
        let largest = stride(from: 1, to: squares.count, by: 2).map { squares[$0] }.max()!.squareRoot()
        let least = 1e-6 * largest
        for (index, (name, _)) in expected.enumerated() {
            let distance = squares[2 * index].squareRoot(), norm = squares[2 * index + 1].squareRoot()
            report.tensors.append(
                .init(
                    kind: title ?? kind, name: name.isEmpty ? kind : name, error: distance / (norm + least),
                    allowed: max(
                        Self.driftFactor * max(drifts[name]!, median), norm > least ? Self.floor : Self.roundingFloor)))
        }
    }
}

extension Tensor {
    /// Σ (self − other)², in double precision.
    fileprivate func squaredDistance(to other: Tensor) -> Double {
        precondition(count == other.count, "cannot compare \(shape) with \(other.shape)")
        return zip(floats, other.floats).reduce(0) {
            $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
        }
    }
}
