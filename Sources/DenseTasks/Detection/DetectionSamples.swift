package import ImagePipeline
import TensorCore

/// Annotated pictures to images with boxes: resized so that the short side is of a drawn length, cropped and mirrored by
/// chance. Every draw is keyed by (seed, epoch, sample).
package struct DetectionSamples: SampleLoading {
    package let seed: UInt64
    /// In the order in which a run lists the pictures.
    private let pictures: [AnnotatedImage]
    private let views: DetectionViews
    private let normalization: PixelNormalization

    package init(
        _ pictures: [AnnotatedImage], _ views: DetectionViews, _ normalization: PixelNormalization = .imageNet,
        seed: UInt64
    ) {
        (self.pictures, self.views, self.normalization, self.seed) = (pictures, views, normalization, seed)
    }

    package func makeWorkspace() -> RegionRenderer { RegionRenderer() }

    package func makeBatch(count: Int) -> DetectionBatch {
        DetectionBatch(count: count, sideMultiple: DetectorLevels.sideMultiple)
    }

    package func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: DetectionBatch, position: Int,
        workspace: RegionRenderer
    ) throws {
        let picture = pictures[picture]
        try picture.checkSize(of: bytes)
        let draw = DetectionDraw(
            width: picture.width, height: picture.height, views, seed: seed, epoch: key.epoch, sample: key.sample)
        batch.images[position] = try workspace.render(
            bytes, draw.region, height: draw.height, width: draw.width, mirrored: draw.flips, normalization)
        batch.objects[position] = picture.objects.filter { !$0.isCrowd }.compactMap { object in
            draw.box(object.box).map { TargetObject(box: $0, category: object.category) }
        }
    }
}

extension AnnotatedImage {
    /// Throws where the bytes are of a picture of another size than when the annotations were read.
    func checkSize(of bytes: [UInt8]) throws {
        let size = try ImageDecoder.size(of: bytes)
        guard size == (width, height) else {
            throw ImageError(
                "is \(size.width)×\(size.height) pixels now, and was \(width)×\(height) when its annotations were read")
        }
    }
}

/// All that chance decides about a picture.
package struct DetectionDraw: Sendable, Equatable {
    /// Of the upright picture.
    package let region: PixelRegion
    package let flips: Bool
    /// What the region becomes, in pixels.
    package let height, width: Int

    /// Every number is drawn whether it is used or not, so that a changed probability leaves all other draws as they are.
    package init(width: Int, height: Int, _ views: DetectionViews, seed: UInt64, epoch: Int, sample: Int) {
        var generator = KeyedGenerator(seed, UInt64(epoch), UInt64(sample), Self.key)
        let size = views.minimumSize + generator.integer(below: views.maximumSize - views.minimumSize + 1)
        flips = generator.chance(views.flip)
        let crops = generator.chance(views.crop)
        func part(_ side: Int) -> (start: Int, length: Int) {
            let share = generator.uniform(views.minimumCrop, 1)
            let length = min(max(Int((share * Double(side)).rounded()), 1), side)
            return (generator.integer(below: side - length + 1), length)
        }
        let columns = part(width), rows = part(height)
        let whole = PixelRegion(x: 0, y: 0, width: width, height: height)
        region =
            crops
            ? PixelRegion(x: columns.start, y: rows.start, width: columns.length, height: rows.length) : whole
        (self.height, self.width) = views.size(of: region, shortSide: size)
    }

    /// A box of the upright picture in the image; nil where its centre is outside, or less than a pixel of it inside.
    package func box(_ box: Box) -> Box? {
        let centreX = box.x + box.width / 2 - Double(region.x), centreY = box.y + box.height / 2 - Double(region.y)
        let columns = Double(region.width), rows = Double(region.height)
        guard centreX >= 0, centreX <= columns, centreY >= 0, centreY <= rows else { return nil }
        let moved = Box(x: box.x - Double(region.x), y: box.y - Double(region.y), width: box.width, height: box.height)
        let inside = moved.clipped(width: columns, height: rows)
        let scaleX = Double(width) / columns, scaleY = Double(height) / rows
        var result = Box(
            x: inside.x * scaleX, y: inside.y * scaleY, width: inside.width * scaleX, height: inside.height * scaleY)
        guard result.width >= 1, result.height >= 1 else { return nil }
        if flips { result.x = Double(width) - result.right }
        return result
    }

    /// Sets these draws apart from every other use of the run's seed.
    private static let key: UInt64 = 0x6465_7465_6374
}
