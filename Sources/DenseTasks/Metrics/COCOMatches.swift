/// Which objects count, by their area in pixels; both ends belong to it.
enum COCOArea: CaseIterable {
    case all, small, medium, large

    var range: ClosedRange<Double> {
        switch self {
        case .all: 0...1e10
        case .small: 0...1024
        case .medium: 1024...9216
        case .large: 9216...1e10
        }
    }
}

/// Which detections of a category in one image hit an object, at each threshold of IoU and for each range of areas: the
/// rules of pycocotools' `evaluateImg`.
struct COCOMatches {
    enum Outcome { case right, wrong, ignored }

    /// 0.5 to 0.95 as numpy builds them: the ninth is a bit below 0.9.
    static let thresholds: [Double] = (0..<10).map { place in
        let step: Double = (0.95 - 0.5) / 9
        return place < 9 ? 0.5 + Double(place) * step : 0.95
    }
    /// So many detections of a category in an image count.
    private static let limit = 100

    /// Of the detections, descending.
    let scores: [Double]
    /// By area, threshold, detection.
    private(set) var outcomes: [COCOArea: [[Outcome]]] = [:]
    /// How many objects are to be found, by area.
    private(set) var objects: [COCOArea: Int] = [:]

    init(_ picture: CategoryPicture, honoursIgnored: Bool) {
        // Swift's sort is stable: of equal scores the earlier stays first.
        let found = picture.found.sorted { $0.score > $1.score }.prefix(Self.limit)
        scores = found.map(\.score)
        let overlaps = found.map { detection in picture.truths.map { Self.overlap(detection.box, $0) } }
        for area in COCOArea.allCases {
            let truths = picture.truths.indices.map { index in
                let truth = picture.truths[index]
                return Truth(
                    index: index, isCrowd: truth.isCrowd,
                    isIgnored: truth.isCrowd || honoursIgnored && truth.isIgnored || !area.range.contains(truth.area))
            }
            let ordered = truths.filter { !$0.isIgnored } + truths.filter(\.isIgnored)
            objects[area] = truths.count { !$0.isIgnored }
            outcomes[area] = Self.thresholds.map { threshold in
                zip(Self.matches(overlaps, ordered, threshold: threshold), found).map { match, detection -> Outcome in
                    guard let match else { return area.range.contains(detection.box.area) ? .wrong : .ignored }
                    return match.isIgnored ? .ignored : .right
                }
            }
        }
    }

    private struct Truth {
        let index: Int
        let isCrowd: Bool
        let isIgnored: Bool
    }

    /// Intersection over union; of a crowd over the detection alone.
    private static func overlap(_ box: Box, _ truth: GroundTruth) -> Double {
        guard truth.isCrowd else { return box.overlap(truth.box) }
        let both = box.intersection(truth.box)
        return both > 0 ? both / box.area : 0
    }

    /// What each detection, the surest first, hits: the object that it overlaps most, of equal ones the later; a crowd
    /// any number of times; an ignored one only where no other is.
    private static func matches(_ overlaps: [[Double]], _ truths: [Truth], threshold: Double) -> [Truth?] {
        var isTaken = [Bool](repeating: false, count: truths.count)
        return overlaps.map { overlaps in
            var best = min(threshold, 1 - 1e-10), match: Int?
            for (place, truth) in truths.enumerated() where !isTaken[place] || truth.isCrowd {
                if let match, !truths[match].isIgnored, truth.isIgnored { break }
                guard overlaps[truth.index] >= best else { continue }
                (best, match) = (overlaps[truth.index], place)
            }
            guard let match else { return nil }
            isTaken[match] = true
            return truths[match]
        }
    }
}
