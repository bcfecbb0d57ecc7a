import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
package import TensorCore

/// Two known crops of each of a number of pictures.
package struct ViewPairSource {
    /// Views [S, S, 3] and their boxes (x0, y0, x1, y1) in the picture.
    package struct Pair {
        package let view1, view2: Tensor
        package let box1, box2: [Float]

        package init(view1: Tensor, view2: Tensor, box1: [Float], box2: [Float]) {
            self.view1 = view1
            self.view2 = view2
            self.box1 = box1
            self.box2 = box2
        }
    }

    package let count: Int
    package let name: (Int) -> String
    /// Several threads call it at once; what it throws is the reason for which the picture is skipped.
    package let load: (Int) throws -> Pair

    package init(count: Int, name: @escaping (Int) -> String, load: @escaping (Int) throws -> Pair) {
        self.count = count
        self.name = name
        self.load = load
    }
}

/// How often the most similar cell of the other view shows the same place, without any labels.
///
/// A cell of view 1 counts if some cell of view 2 is within PixPro's threshold of it; it is right if its most similar
/// cell (cosine of C5 features) is one of these.
package struct Correspondence: Sendable, Equatable {
    package internal(set) var hits = 0
    /// Cells that have a match.
    package internal(set) var cells = 0
    /// Matches of all these cells together, and the cells among which they were sought.
    package internal(set) var matches = 0
    package internal(set) var candidates = 0
    package internal(set) var pictures = 0
    /// Σ and Σ² of each channel over unit features, and their number.
    var sums: [Double] = []
    var features = 0.0

    /// Of no pictures yet.
    package init() {}

    package var accuracy: Double { Double(hits) / Double(max(cells, 1)) }

    /// What guessing gives: matches over candidates.
    package var chance: Double { Double(matches) / Double(max(candidates, 1)) }

    /// √C times the mean standard deviation of a channel over unit features: 0 where all features are one (collapse), 1
    /// where they point anywhere.
    package var featureSpread: Double {
        let channels = sums.count / 2
        guard features > 0, channels > 0 else { return 0 }
        let deviations = (0..<channels).map { c in
            let mean = sums[c] / features
            return max(sums[channels + c] / features - mean * mean, 0).squareRoot()
        }
        return deviations.reduce(0, +) / Double(channels).squareRoot()
    }

    /// Adds pictures by the C5 maps [N, h, w, C] of their views and the views' boxes [N, 4].
    package mutating func add(map1: Tensor, map2: Tensor, box1: Tensor, box2: Tensor, threshold: Double = 0.7) {
        precondition(map1.shape == map2.shape, "maps \(map1.shape) and \(map2.shape)")
        let (count, rows, columns, channels) = (map1.shape[0], map1.shape[1], map1.shape[2], map1.shape[3])
        let size = rows * columns
        let positives = PositivePairs(
            query: box1, key: box2, rows: rows, columns: columns, threshold: threshold, inclusive: false)
        let unit1 = map1.normalizedRows().unit, unit2 = map2.normalizedRows().unit
        let similarity = Tensor([count, size, size])
        similarity.product(
            unit1.reshaped([count, size, channels]), unit2.reshaped([count, size, channels]), transposeB: true)
        // Most similar cell of each: the places of a row are one "class" axis.
        let nearest = similarity.reshaped([count * size, size, 1]).largestClasses()
        for cell in 0..<count * size {
            let matching = positives.matches(image: cell / size, cell: cell % size)
            guard !matching.isEmpty else { continue }
            cells += 1
            matches += matching.count
            candidates += size
            if matching.contains(nearest[cell]) { hits += 1 }
        }
        pictures += count
        if sums.isEmpty { sums = [Double](repeating: 0, count: 2 * channels) }
        for (i, value) in unit1.columnMoments().values.enumerated() { sums[i] += value }
        features += Double(count * size)
    }
}

extension FeatureExtractor {
    /// The correspondence of the pairs `indices`, each rank taking its part. Collective; every rank has the result.
    func correspondence(
        _ pairs: ViewPairSource, indices: [Int], progress: (_ done: Int, _ total: Int) throws -> Void
    ) throws -> (Correspondence, skipped: [SkippedPicture]) {
        var own = Correspondence()
        own.sums = [Double](repeating: 0, count: 2 * encoder.top.channels)
        let skipped = try communicator.agree(on: "scoring correspondence") {
            try loadInBatches(
                communicator.slice(of: indices), batchSize: batchSize, name: pairs.name, load: pairs.load,
                progress: progress
            ) { loaded in
                let pairs = loaded.map(\.value)
                own.add(
                    map1: try map(stacked(pairs.map(\.view1))), map2: try map(stacked(pairs.map(\.view2))),
                    box1: Tensor([pairs.count, 4], pairs.flatMap(\.box1)),
                    box2: Tensor([pairs.count, 4], pairs.flatMap(\.box2)))
            }
        }
        let counts = try communicator.sum(
            [own.hits, own.cells, own.matches, own.candidates, own.pictures].map { Int64($0) }
        ).map { Int($0) }
        let sums = try communicator.sum(own.sums + [own.features])
        (own.hits, own.cells, own.matches, own.candidates, own.pictures) =
            (counts[0], counts[1], counts[2], counts[3], counts[4])
        own.sums = Array(sums.dropLast())
        own.features = sums.last!
        return (own, try communicator.gathered(skipped))
    }
}
