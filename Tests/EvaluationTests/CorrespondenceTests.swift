import Evaluation
import TensorCore
import TestSupport
import Testing

@Suite struct CorrespondenceTests {
    private static let rows = 3, columns = 4, channels = 16, cells = 12

    /// Where the middle of a cell of a view is in the picture.
    private func middle(_ box: ArraySlice<Float>, _ cell: Int) -> (x: Double, y: Double) {
        let box = box.map { Double($0) }
        return (
            box[0] + (box[2] - box[0]) * (Double(cell % Self.columns) + 0.5) / Double(Self.columns),
            box[1] + (box[3] - box[1]) * (Double(cell / Self.columns) + 0.5) / Double(Self.rows)
        )
    }

    private func diagonal(_ box: ArraySlice<Float>) -> Double {
        let box = box.map { Double($0) }
        let width = (box[2] - box[0]) / Double(Self.columns), height = (box[3] - box[1]) / Double(Self.rows)
        return (width * width + height * height).squareRoot()
    }

    /// [picture][cell][channel], each cell a unit vector.
    private func unit(_ map: Tensor) -> [[[Double]]] {
        (0..<map.shape[0]).map { picture in
            (0..<Self.cells).map { cell in
                let start = (picture * Self.cells + cell) * Self.channels
                let values = (0..<Self.channels).map { Double(map.floats[start + $0]) }
                let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return values.map { $0 / length }
            }
        }
    }

    /// Of two equal views, one turned left to right, one that overlaps a part, and one that overlaps nothing.
    private let box1: [Float] = [0.1, 0.1, 0.7, 0.8, 0.2, 0, 0.9, 1, 0, 0, 0.6, 0.6, 0, 0, 0.3, 0.3]
    private let box2: [Float] = [0.1, 0.1, 0.7, 0.8, 0.9, 0, 0.2, 1, 0.3, 0.2, 0.8, 0.9, 0.6, 0.6, 1, 1]

    @Test func countsAreThoseOfThePlainTwin() {
        let map1 = randomTensor([4, Self.rows, Self.columns, Self.channels], key: 1)
        // A third of what a cell shows is noise, so that some cells find their place and some do not.
        let map2 = randomTensor(map1.shape, key: 2, scale: 1.5)
        for i in 0..<map1.count { map2.floats[i] += map1.floats[i] }
        var found = Correspondence()
        found.add(map1: map1, map2: map2, box1: Tensor([4, 4], box1), box2: Tensor([4, 4], box2))

        var (hits, cells, matches) = (0, 0, 0)
        let unit1 = unit(map1), unit2 = unit(map2)
        for picture in 0..<4 {
            let a = box1[picture * 4..<picture * 4 + 4], b = box2[picture * 4..<picture * 4 + 4]
            for i in 0..<Self.cells {
                let near = (0..<Self.cells).filter { j in
                    let (p, q) = (middle(a, i), middle(b, j))
                    let distance = ((p.x - q.x) * (p.x - q.x) + (p.y - q.y) * (p.y - q.y)).squareRoot()
                    return distance / max(diagonal(a), diagonal(b)) < 0.7
                }
                guard !near.isEmpty else { continue }
                (cells, matches) = (cells + 1, matches + near.count)
                let cosines = unit2[picture].map { zip($0, unit1[picture][i]).reduce(0) { $0 + $1.0 * $1.1 } }
                hits += near.contains(cosines.firstIndex(of: cosines.max()!)!) ? 1 : 0
            }
        }
        #expect(hits > 0 && hits < cells && cells > 2 * Self.cells && cells < 3 * Self.cells)
        #expect((found.hits, found.cells, found.matches) == (hits, cells, matches))
        #expect((found.candidates, found.pictures) == (cells * Self.cells, 4))
        #expect(found.accuracy == Double(hits) / Double(cells))
        #expect(found.chance == Double(matches) / Double(cells * Self.cells))
        #expect(abs(found.featureSpread - spread(unit1)) < 1e-6)
    }

    /// √C times the mean standard deviation of a channel.
    private func spread(_ unit: [[[Double]]]) -> Double {
        let features = unit.flatMap { $0 }
        let deviations = (0..<Self.channels).map { c in
            let column = features.map { $0[c] }, mean = column.reduce(0, +) / Double(column.count)
            return (column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(column.count)).squareRoot()
        }
        return Double(Self.channels).squareRoot() * deviations.reduce(0, +) / Double(Self.channels)
    }

    @Test func equalViewsFindAllTheirPlacesAndEqualFeaturesHaveNoSpread() {
        let map = randomTensor([1, Self.rows, Self.columns, Self.channels], key: 1)
        let box = Tensor([1, 4], [0.2, 0.2, 0.8, 0.8])
        var found = Correspondence()
        #expect(found.accuracy == 0 && found.chance == 0 && found.featureSpread == 0)
        found.add(map1: map, map2: map, box1: box, box2: box)
        #expect(found.hits == Self.cells && found.accuracy == 1 && found.featureSpread > 0.8)

        map.fill(3)
        var collapsed = Correspondence()
        collapsed.add(map1: map, map2: map, box1: box, box2: box)
        #expect(collapsed.featureSpread < 1e-3)
    }
}
