import Glibc
package import TensorCore

/// Classification of pooled features by their most similar known neighbours, weighted as in DINO (Caron et al. 2021):
/// each of the k neighbours of highest cosine votes for its class with exp(cosine / temperature).
package struct NearestNeighbours {
    package let neighbours: Int
    package let temperature: Double
    private let known: Tensor
    private let labels: [Int]
    private let classes: Int

    /// Features [n, C] of any length and their classes 0..<classes.
    package init(features: Tensor, labels: [Int], classes: Int, neighbours: Int = 20, temperature: Double = 0.07) {
        precondition(features.shape[0] == labels.count, "\(labels.count) labels for features \(features.shape)")
        known = features.normalizedRows().unit
        self.labels = labels
        self.classes = classes
        self.neighbours = min(neighbours, labels.count)
        self.temperature = temperature
    }

    /// The class of each of the features [m, C]. Works through blocks of queries in bounded memory.
    package func classify(
        _ features: Tensor, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) rethrows -> [Int] {
        let count = features.shape[0]
        let queries = features.normalizedRows().unit
        // A block of similarities takes about 32 MB.
        let block = max(1, min(256, (8 << 20) / max(labels.count, 1)))
        var classified = [Int](repeating: 0, count: count)
        for start in stride(from: 0, to: count, by: block) {
            let rows = start..<min(start + block, count)
            let similarities = Tensor([rows.count, labels.count])
            similarities.product(queries.rows(rows), known, transposeB: true)
            classified.withUnsafeMutableBufferPointer { classified in
                parallelFor(rows.count) { _, part in
                    for row in part { classified[start + row] = vote(similarities.rows(row..<row + 1).floats) }
                }
            }
            try progress(rows.upperBound, count)
        }
        return classified
    }

    /// The share of features [m, C] that get their own class.
    package func accuracy(
        of features: Tensor, labels: [Int], progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) rethrows -> Double {
        let hits = zip(try classify(features, progress: progress), labels).count { $0 == $1 }
        return Double(hits) / Double(max(labels.count, 1))
    }

    private func vote(_ similarities: UnsafeMutableBufferPointer<Float>) -> Int {
        var votes = [Double](repeating: 0, count: classes)
        for (similarity, index) in largest(similarities) {
            votes[labels[index]] += exp(Double(similarity) / temperature)
        }
        return votes.indices.max { votes[$0] < votes[$1] } ?? 0
    }

    /// The `neighbours` largest values and where they are, largest first; of equal ones the first.
    private func largest(_ values: UnsafeMutableBufferPointer<Float>) -> [(value: Float, index: Int)] {
        var best: [(value: Float, index: Int)] = []
        best.reserveCapacity(neighbours + 1)
        var threshold = -Float.infinity
        for (index, value) in values.enumerated() where value > threshold || best.count < neighbours {
            var place = best.count
            while place > 0, best[place - 1].value < value { place -= 1 }
            best.insert((value, index), at: place)
            if best.count > neighbours { best.removeLast() }
            if best.count == neighbours { threshold = best[neighbours - 1].value }
        }
        return best
    }
}
