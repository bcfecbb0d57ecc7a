import Evaluation

/// The twelve figures of COCO's evaluation of boxes, as pycocotools computes them; nil where there is nothing to find.
package struct COCOScores: Sendable, Equatable {
    /// Average precision over IoU 0.5 to 0.95, at 0.5 and 0.75, and over objects of three sizes.
    package var averagePrecision, at50, at75, small, medium, large: Double?
    /// Average recall of the 1, 10 and 100 surest detections of an image, and of 100 over three sizes.
    package var recall1, recall10, recall100, recallSmall, recallMedium, recallLarge: Double?

    /// In pycocotools' order.
    package var figures: [(name: String, value: Double?)] {
        [
            ("AP", averagePrecision), ("AP50", at50), ("AP75", at75), ("AP small", small), ("AP medium", medium),
            ("AP large", large), ("AR 1", recall1), ("AR 10", recall10), ("AR 100", recall100),
            ("AR small", recallSmall), ("AR medium", recallMedium), ("AR large", recallLarge),
        ]
    }
}

extension DetectionSet {
    /// COCO's scores of detections in any order of images.
    ///
    /// - Parameter honoursIgnored: whether objects marked as ignored count neither way, as crowds do. pycocotools
    ///   overwrites that mark and scores them as any other.
    package func coco(_ found: [Detection], honoursIgnored: Bool = false) throws -> COCOScores {
        let found = try arranged(found)
        let curves = categories.indices.map { category in
            COCOCurves(pictures(category, found).map { COCOMatches($0, honoursIgnored: honoursIgnored) })
        }
        func precision(_ area: COCOArea, _ thresholds: Range<Int> = 0..<10) -> Double? {
            Self.mean(curves.flatMap { $0.precisions(area, thresholds) })
        }
        func recall(_ area: COCOArea, _ limit: Int) -> Double? { Self.mean(curves.flatMap { $0.recalls(area, limit) }) }
        return COCOScores(
            averagePrecision: precision(.all), at50: precision(.all, 0..<1),
            at75: precision(.all, 5..<6), small: precision(.small),
            medium: precision(.medium), large: precision(.large),
            recall1: recall(.all, 1), recall10: recall(.all, 10), recall100: recall(.all, 100),
            recallSmall: recall(.small, 100), recallMedium: recall(.medium, 100), recallLarge: recall(.large, 100))
    }

    /// `AP` and `AP50` of each of so many draws of the images; nil for one without an object.
    package func resampledPrecision(_ found: [Detection], draws: Int) throws -> [String: [Double?]] {
        let found = try arranged(found)
        // Matched once: a draw only counts images more or less often. Most show nothing of most categories.
        let matches = categories.indices.map { category in
            images.enumerated().compactMap { place, image in
                let picture = picture(category, image, found)
                return picture.truths.isEmpty && picture.found.isEmpty
                    ? nil : (place: place, matches: COCOMatches(picture, honoursIgnored: false))
            }
        }
        var precision: [String: [Double?]] = ["AP": [], "AP50": []]
        for draw in 0..<draws {
            let counts = Resampling.counts(draw: draw, of: images.count)
            let curves = matches.map { images in
                COCOCurves(
                    images.flatMap { [COCOMatches](repeating: $0.matches, count: counts[$0.place]) }, areas: [.all],
                    limits: [100])
            }
            precision["AP"]!.append(Self.mean(curves.flatMap { $0.precisions(.all, 0..<10) }))
            precision["AP50"]!.append(Self.mean(curves.flatMap { $0.precisions(.all, 0..<1) }))
        }
        return precision
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}

/// Precision and recall of one category.
private struct COCOCurves {
    /// By area, threshold and place of recall; empty for areas without an object.
    private var precision: [COCOArea: [[Double]]] = [:]
    /// By area, limit and threshold.
    private var recall: [COCOArea: [Int: [Double]]] = [:]

    /// k · 0.01 as a product: some are a bit above k / 100, so that 35 of 100 objects do not reach place 35.
    private static let recallPlaces = (0...100).map { Double($0) * 0.01 }

    init(_ pictures: [COCOMatches], areas: [COCOArea] = COCOArea.allCases, limits: [Int] = [1, 10, 100]) {
        for area in areas {
            let objects = pictures.reduce(0) { $0 + $1.objects[area]! }
            guard objects > 0 else { continue }
            for limit in limits {
                let ranking = COCORanking(pictures, limit: limit)
                let curves = COCOMatches.thresholds.indices.map { ranking.curve(area, threshold: $0, objects: objects) }
                recall[area, default: [:]][limit] = curves.map { $0.recall.last ?? 0 }
                if limit == 100 { precision[area] = curves.map(Self.sampled) }
            }
        }
    }

    func precisions(_ area: COCOArea, _ thresholds: Range<Int>) -> [Double] {
        precision[area].map { $0[thresholds].flatMap { $0 } } ?? []
    }

    func recalls(_ area: COCOArea, _ limit: Int) -> [Double] { recall[area]?[limit] ?? [] }

    /// The precision, made to fall, at 101 places of recall; 0 where that recall is not reached.
    private static func sampled(_ curve: (recall: [Double], precision: [Double])) -> [Double] {
        var falling = curve.precision
        for place in falling.indices.dropLast().reversed() { falling[place] = max(falling[place], falling[place + 1]) }
        var first = 0
        return recallPlaces.map { wanted in
            while first < falling.count && curve.recall[first] < wanted { first += 1 }
            return first < falling.count ? falling[first] : 0
        }
    }
}

/// Detections of a category from all images, the surest first; of equal ones that of the lower image, then the earlier.
private struct COCORanking {
    /// Of each detection its image, and its place there.
    private let order: [(picture: Int, place: Int)]
    private let pictures: [COCOMatches]

    init(_ pictures: [COCOMatches], limit: Int) {
        self.pictures = pictures
        let places = pictures.indices.flatMap { picture in
            (0..<min(pictures[picture].scores.count, limit)).map { (picture: picture, place: $0) }
        }
        // Swift's sort is stable.
        order = places.sorted { pictures[$0.picture].scores[$0.place] > pictures[$1.picture].scores[$1.place] }
    }

    /// Recall and precision after each detection; ignored ones change neither.
    func curve(_ area: COCOArea, threshold: Int, objects: Int) -> (recall: [Double], precision: [Double]) {
        var right = 0.0, wrong = 0.0, recall: [Double] = [], precision: [Double] = []
        for (picture, place) in order {
            switch pictures[picture].outcomes[area]![threshold][place] {
            case .right: right += 1
            case .wrong: wrong += 1
            case .ignored: break
            }
            recall.append(right / Double(objects))
            precision.append(right / (wrong + right + 0x1p-52))
        }
        return (recall, precision)
    }
}
