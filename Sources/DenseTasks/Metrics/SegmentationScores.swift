package import Evaluation

/// What a confusion matrix over a whole set of pictures, at the labels' own resolution, says about a segmenter.
package struct SegmentationScores: Sendable {
    /// Intersection over union of each class; nil for one that neither labels nor predictions have.
    package let byClass: [(name: String, value: Double?)]
    /// Over the classes that have one; nil without a labelled pixel.
    package let mean: Double?
    /// How many classes entered the mean.
    package let counted: Int
    /// The share of labelled pixels that got their class.
    package let pixelAccuracy: Double?

    package init(_ confusion: ConfusionMatrix, classNames: [String]) {
        precondition(
            classNames.count == confusion.classes, "\(classNames.count) names for \(confusion.classes) classes")
        byClass = zip(classNames, confusion.intersectionOverUnion).map { (name: $0, value: $1) }
        mean = confusion.meanIntersectionOverUnion
        counted = byClass.count { $0.value != nil }
        pixelAccuracy = confusion.pixelAccuracy
    }

    /// What a reader of the mean must know; nil where all classes entered.
    package var note: String? {
        let absent = byClass.filter { $0.value == nil }.map(\.name)
        guard !absent.isEmpty else { return nil }
        let listed = absent.prefix(20).joined(separator: ", ") + (absent.count > 20 ? ", …" : "")
        return "the mean is over \(counted) of \(byClass.count) classes: neither labels nor predictions have \(listed)"
    }
}
