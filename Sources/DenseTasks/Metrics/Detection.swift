/// A box that a detector found. Images and categories are numbered as the annotations number them.
package struct Detection: Sendable, Equatable, BitwiseCopyable {
    package let image: Int
    package let category: Int
    package let box: Box
    /// The higher, the surer.
    package let score: Double

    package init(image: Int, category: Int, box: Box, score: Double) {
        (self.image, self.category, self.box, self.score) = (image, category, box, score)
    }
}

/// An object that a detector should find.
package struct GroundTruth: Sendable, Equatable, BitwiseCopyable {
    package let image: Int
    package let category: Int
    package let box: Box
    /// Of the object, which a mask makes less than that of the box; by it COCO tells small from large.
    package let area: Double
    /// Whether the box holds many objects, of which each counts neither as found nor as missed.
    package let isCrowd: Bool
    /// VOC's "difficult": neither to be found nor an error to find. COCO's own evaluation knows no such thing.
    package let isIgnored: Bool

    package init(
        image: Int, category: Int, box: Box, area: Double? = nil, isCrowd: Bool = false, isIgnored: Bool = false
    ) {
        (self.image, self.category, self.box, self.area) = (image, category, box, area ?? box.area)
        (self.isCrowd, self.isIgnored) = (isCrowd, isIgnored)
    }
}

/// Results that cannot be scored: they belong to other annotations, or hold no numbers.
package struct DetectionError: Error, CustomStringConvertible {
    package let description: String
}
