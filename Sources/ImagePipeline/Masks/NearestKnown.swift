import Glibc

/// For each pixel of a picture the known pixel that lies nearest.
///
/// Exact Euclidean distances in two passes, along columns and then along rows by the lower envelope of parabolas
/// (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012).
package struct NearestKnown: Sendable {
    /// Of each pixel the known one, y · width + x; itself where it is known, nil where none is.
    package private(set) var places: [Int?]
    /// The distance to it in pixels; infinite where there is none.
    package private(set) var distances: [Double]

    package init(_ mask: HoleMask) {
        let (height, width) = (mask.height, mask.width)
        places = [Int?](repeating: nil, count: height * width)
        distances = [Double](repeating: .infinity, count: height * width)
        let rows = Self.nearestRows(mask)
        var envelope = LowerEnvelope(capacity: width)
        for y in 0..<height {
            envelope.removeAll()
            for x in 0..<width {
                guard let row = rows[y * width + x] else { continue }
                envelope.add(center: x, height: Double((row - y) * (row - y)))
            }
            envelope.forEach(upTo: width) { x, center, squared in
                guard let row = rows[y * width + center] else { return }
                places[y * width + x] = row * width + center
                distances[y * width + x] = squared.squareRoot()
            }
        }
    }

    /// Of each pixel the nearest row in its column whose pixel is known, the upper one of two.
    private static func nearestRows(_ mask: HoleMask) -> [Int?] {
        let (height, width) = (mask.height, mask.width)
        var rows = [Int?](repeating: nil, count: height * width)
        for x in 0..<width {
            var last: Int?
            for y in 0..<height {
                if !mask[y, x] { last = y }
                rows[y * width + x] = last
            }
            last = nil
            for y in stride(from: height - 1, through: 0, by: -1) {
                if !mask[y, x] { last = y }
                guard let below = last else { continue }
                if let above = rows[y * width + x], y - above <= below - y { continue }
                rows[y * width + x] = below
            }
        }
        return rows
    }
}

/// The least of parabolas height + (x − center)² with rising centres, at whole x.
private struct LowerEnvelope {
    private var parabolas: [(center: Int, height: Double, start: Double)] = []

    init(capacity: Int) { parabolas.reserveCapacity(capacity) }

    mutating func removeAll() { parabolas.removeAll(keepingCapacity: true) }

    mutating func add(center: Int, height: Double) {
        let c = Double(center)
        while let last = parabolas.last {
            let l = Double(last.center)
            let crossing = (height + c * c - last.height - l * l) / (2 * (c - l))
            if crossing > last.start {
                parabolas.append((center, height, crossing))
                return
            }
            parabolas.removeLast()
        }
        parabolas.append((center, height, -.infinity))
    }

    func forEach(upTo end: Int, _ body: (_ x: Int, _ center: Int, _ value: Double) -> Void) {
        guard !parabolas.isEmpty else { return }
        var index = 0
        for x in 0..<end {
            while index + 1 < parabolas.count, parabolas[index + 1].start < Double(x) { index += 1 }
            let parabola = parabolas[index], away = Double(x - parabola.center)
            body(x, parabola.center, parabola.height + away * away)
        }
    }
}
