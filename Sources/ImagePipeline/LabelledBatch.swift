package import TensorCore

/// Pictures with a class for each of their pixels: what a step of segmentation eats.
package final class LabelledBatch {
    /// [N, height, width, 3], normalised; zero where a picture does not reach.
    package let images: Tensor
    /// Of each image height · width ids, row by row.
    private let labels: BatchPlaces<[UInt8]>

    package init(images: Tensor, labels: [[UInt8]]) {
        precondition(
            images.shape.count == 4 && images.shape[0] == labels.count
                && labels.allSatisfy { $0.count == images.shape[1] * images.shape[2] },
            "label maps of \(labels.map(\.count)) pixels for images \(images.shape)")
        self.images = images
        self.labels = BatchPlaces(count: labels.count, [])
        for (place, ids) in labels.enumerated() { self.labels[place] = ids }
    }

    /// A batch to be filled, of squares.
    init(count: Int, side: Int) {
        images = Tensor([count, side, side, 3])
        labels = BatchPlaces(count: count, [])
    }

    /// Image by image.
    package var ids: [UInt8] { labels.all.flatMap { $0 } }

    /// Of one image.
    func labels(_ position: Int) -> [UInt8] { labels[position] }

    /// The labels of a place that is filled.
    func set(_ position: Int, labels ids: [UInt8]) { labels[position] = ids }
}
