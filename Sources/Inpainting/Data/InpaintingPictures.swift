import Evaluation
import Files
package import ImagePipeline
package import Learning
import MessagePassing
import SystemPackage

/// The pictures that an inpainter is trained on, with the masks where holes come from files; the same on every rank.
package struct InpaintingPictures: TrainingPictures {
    package let index: ImageIndex
    package let holes: HoleSource
    package let notes: [String]

    /// Rank zero lists, all ranks share the looks at the masks. Collective; throws the same error on all ranks.
    package init(_ data: InpaintingData, _ roots: PictureRoots) throws {
        index = try roots.list()
        switch data.holes {
        case .rectangles: (holes, notes) = (.rectangles, [])
        case .strokes: (holes, notes) = (.strokes, [])
        case .files:
            guard let folder = data.masks else {
                throw MaskError("set data.masks to the folder of masks that data.holes files asks for")
            }
            let masks = try ImageIndex.shared(
                [folder], listing: "the masks", roots.communicator, advance: roots.advance)
            let area = try Self.share(of: masks, side: data.imageSize, roots)
            holes = .files(masks)
            notes = ["\(masks.count) masks; a hole takes \(Int((100 * area).rounded())) % of a picture in the mean"]
        }
    }

    /// Looks at every mask as training will see it: what is wrong is found before anything long begins. Returns the mean
    /// share of a picture that a hole takes. Collective.
    private static func share(of masks: ImageIndex, side: Int, _ roots: PictureRoots) throws -> Double {
        var sum = 0.0
        try roots.communicator.agree(on: "reading the masks") {
            for place in roots.communicator.slice(of: Array(0..<masks.count)) {
                try roots.advance()
                let area = try masks.hole(place).resized(height: side, width: side).area
                guard area > 0, area < side * side else {
                    throw MaskError(
                        "\(masks.description(of: place)) at \(side)×\(side) pixels \(area == 0 ? "has no hole" : "is hole everywhere") "
                            + "any more: draw broader strokes, or take the mask away")
                }
                sum += Double(area) / Double(side * side)
            }
        }
        return try roots.communicator.sum([sum])[0] / Double(masks.count)
    }
}

/// Masks that cannot be used as they are; thrown alike on every rank.
package struct MaskError: SharedError, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
