import Evaluation
import Glibc
import TensorCore
import TestSupport
import Testing

@Suite struct NearestNeighboursTests {
    /// Rows of `features` as unit vectors, in double precision.
    private func unit(_ features: Tensor) -> [[Double]] {
        let channels = features.shape[1]
        return (0..<features.shape[0]).map { row in
            let values = (0..<channels).map { Double(features.floats[row * channels + $0]) }
            let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return values.map { $0 / length }
        }
    }

    /// Sorts all that is known by cosine, and lets the first `neighbours` vote.
    private func plain(
        _ known: Tensor, _ labels: [Int], _ queries: Tensor, classes: Int, neighbours: Int, temperature: Double
    ) -> [Int] {
        let known = unit(known)
        return unit(queries).map { query in
            let cosines = known.map { zip($0, query).reduce(0) { $0 + $1.0 * $1.1 } }
            var votes = [Double](repeating: 0, count: classes)
            for index in cosines.indices.sorted(by: { cosines[$0] > cosines[$1] }).prefix(neighbours) {
                votes[labels[index]] += exp(cosines[index] / temperature)
            }
            return votes.firstIndex(of: votes.max()!)!
        }
    }

    /// More queries than one block has, and fewer known features than neighbours.
    @Test(arguments: [(150, 7, 0.07), (150, 20, 1.0), (1, 20, 0.07), (9, 20, 0.07)])
    func neighboursVoteAsInThePlainTwin(_ count: Int, _ neighbours: Int, _ temperature: Double) throws {
        let known = randomTensor([count, 12], key: 1), queries = randomTensor([300, 12], key: 2, scale: 5)
        let labels = (0..<count).map { $0 * 7 % 4 }
        let classifier = NearestNeighbours(
            features: known, labels: labels, classes: 4, neighbours: neighbours, temperature: temperature)
        var progress: [Int] = []
        let found = classifier.classify(queries) { done, _ in progress.append(done) }
        let expected = plain(
            known, labels, queries, classes: 4, neighbours: neighbours, temperature: temperature)
        #expect(found == expected)
        #expect(progress == [256, 300])
        let wanted = (0..<300).map { $0 % 4 }
        let hits = zip(expected, wanted).count { $0 == $1 }
        #expect(try classifier.accuracy(of: queries, labels: wanted) == Double(hits) / 300)
    }

    @Test func ofEqualNeighboursTheFirstCounts() throws {
        let known = Tensor([3, 2], [1, 0, 2, 0, 3, 0])
        let classifier = NearestNeighbours(features: known, labels: [2, 1, 0], classes: 3, neighbours: 1)
        #expect(try classifier.classify(Tensor([1, 2], [5, 0])) == [2])
    }
}
