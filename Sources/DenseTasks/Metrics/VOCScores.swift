/// Average precision at an IoU above 0.5, as the Pascal VOC challenges define it; nil for categories without an object
/// that is not difficult, and for means over none.
package struct VOCScores: Sendable, Equatable {
    /// Of VOC 2007: the mean of the best precision at recalls from 0, 0.1 … 1. By category, in the order of the set's.
    package let elevenPoint: [Double?]
    /// From 2010 on: the area under the curve made to fall.
    package let area: [Double?]

    package var meanElevenPoint: Double? { Self.mean(elevenPoint) }
    package var meanArea: Double? { Self.mean(area) }

    private static func mean(_ values: [Double?]) -> Double? {
        let known = values.compactMap { $0 }
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }
}

extension DetectionSet {
    /// VOC's scores of detections in any order of images; of equal scores that in the lower image comes first.
    ///
    /// Boxes stand for pixels from (x + 1, y + 1) to (x + width, y + height), both inclusive, as VOC's own do.
    package func voc(_ found: [Detection]) throws -> VOCScores {
        let found = try arranged(found)
        let curves = categories.indices.map { VOCCurve(pictures($0, found)) }
        return VOCScores(elevenPoint: curves.map { $0?.elevenPoint }, area: curves.map { $0?.area })
    }
}

/// Recall and precision of a category after each of its detections, the surest first.
private struct VOCCurve {
    private var recall: [Double] = []
    private var precision: [Double] = []

    /// Nil without an object that is to be found.
    init?(_ pictures: [CategoryPicture]) {
        let objects = pictures.reduce(0) { $0 + $1.truths.count(where: \.isToBeFound) }
        guard objects > 0 else { return nil }
        let places = pictures.indices.flatMap { picture in pictures[picture].found.map { (picture, $0) } }
        var isTaken = pictures.map { [Bool](repeating: false, count: $0.truths.count) }
        var right = 0.0, wrong = 0.0
        // Swift's sort is stable.
        for (picture, detection) in places.sorted(by: { $0.1.score > $1.1.score }) {
            let truths = pictures[picture].truths
            let (best, overlap) = Self.best(detection.box, truths)
            if let best, overlap > 0.5 {
                guard truths[best].isToBeFound else { continue }
                // One that is best on a taken object gets no second choice.
                if isTaken[picture][best] { wrong += 1 } else { right += 1 }
                isTaken[picture][best] = true
            } else {
                wrong += 1
            }
            recall.append(right / Double(objects))
            precision.append(right / (right + wrong))
        }
    }

    var elevenPoint: Double {
        (0...10).reduce(0) { sum, place in
            // As a product: 0.3 does not reach 3 · 0.1.
            let first = recall.firstIndex { $0 >= Double(place) * 0.1 }
            return sum + (first.map { precision[$0...].max()! } ?? 0)
        } / 11
    }

    var area: Double {
        var falling = precision
        for place in falling.indices.dropLast().reversed() { falling[place] = max(falling[place], falling[place + 1]) }
        return falling.indices.reduce(0) { sum, place in
            sum + (recall[place] - (place > 0 ? recall[place - 1] : 0)) * falling[place]
        }
    }

    /// The object that a box overlaps most, of equal ones the first.
    private static func best(_ box: Box, _ truths: [GroundTruth]) -> (index: Int?, overlap: Double) {
        var best: Int?, most = 0.0
        for (index, truth) in truths.enumerated() {
            let overlap = inclusiveOverlap(box, truth.box)
            if overlap > most { (best, most) = (index, overlap) }
        }
        return (best, most)
    }

    /// Intersection over union of pixels counted with both ends.
    private static func inclusiveOverlap(_ a: Box, _ b: Box) -> Double {
        func corners(_ box: Box) -> (left: Double, top: Double, right: Double, bottom: Double) {
            (box.x + 1, box.y + 1, box.right, box.bottom)
        }
        let (a, b) = (corners(a), corners(b))
        let width = max(min(a.right, b.right) - max(a.left, b.left) + 1, 0)
        let height = max(min(a.bottom, b.bottom) - max(a.top, b.top) + 1, 0)
        func area(_ box: (left: Double, top: Double, right: Double, bottom: Double)) -> Double {
            (box.right - box.left + 1) * (box.bottom - box.top + 1)
        }
        let both = width * height
        return both > 0 ? both / (area(a) + area(b) - both) : 0
    }
}

extension GroundTruth {
    /// Crowds and what is marked as ignored count neither as found nor as missed.
    fileprivate var isToBeFound: Bool { !isIgnored && !isCrowd }
}
