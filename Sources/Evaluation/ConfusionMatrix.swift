/// How often each class was taken for each: the one matrix of a whole data set, from which segmentation is scored.
package struct ConfusionMatrix: Sendable, Equatable {
    package let classes: Int
    /// Pixels by [label][prediction], row-major.
    package var counts: [Int64]

    package init(classes: Int) {
        self.classes = classes
        counts = [Int64](repeating: 0, count: classes * classes)
    }

    package mutating func add(label: Int, prediction: Int, pixels: Int = 1) {
        counts[label * classes + prediction] += Int64(pixels)
    }

    /// Adds a picture: the class that each of its pixels was taken for. Pixels whose label is no class count nowhere.
    package mutating func add(_ labels: PixelLabels, predictions: [UInt8], scheme: LabelScheme) {
        precondition(
            scheme.classes == classes && predictions.count == labels.ids.count,
            "\(predictions.count) predictions of \(classes) classes for \(labels.ids.count) labels of \(scheme.classes)"
        )
        for (label, prediction) in zip(labels.ids, predictions) where scheme.isClass[Int(label)] {
            add(label: Int(label), prediction: Int(prediction))
        }
    }

    /// Adds the counts of other pictures, `times` times.
    package mutating func add(_ other: ConfusionMatrix, times: Int = 1) {
        precondition(other.classes == classes, "\(other.classes) classes beside \(classes)")
        for place in counts.indices { counts[place] += Int64(times) * other.counts[place] }
    }

    /// Intersection over union of each class; nil for a class that neither labels nor predictions have.
    package var intersectionOverUnion: [Double?] {
        (0..<classes).map { c in
            let labelled = (0..<classes).reduce(Int64(0)) { $0 + counts[c * classes + $1] }
            let predicted = (0..<classes).reduce(Int64(0)) { $0 + counts[$1 * classes + c] }
            let both = counts[c * classes + c]
            let union = labelled + predicted - both
            return union == 0 ? nil : Double(both) / Double(union)
        }
    }

    /// The mean over the classes that labels or predictions have; nil without a pixel.
    package var meanIntersectionOverUnion: Double? {
        let present = intersectionOverUnion.compactMap { $0 }
        return present.isEmpty ? nil : present.reduce(0, +) / Double(present.count)
    }

    /// Pixels of each class in the labels.
    package var labelled: [Int] {
        (0..<classes).map { label in (0..<classes).reduce(0) { $0 + Int(counts[label * classes + $1]) } }
    }

    /// The share of pixels that got their own class; nil without a pixel.
    package var pixelAccuracy: Double? {
        let all = counts.reduce(0, +)
        let right = (0..<classes).reduce(Int64(0)) { $0 + counts[$1 * classes + $1] }
        return all == 0 ? nil : Double(right) / Double(all)
    }
}
