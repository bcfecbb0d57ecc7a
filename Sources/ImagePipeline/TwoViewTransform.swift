package import TensorCore

/// An image's bytes to its two views: crop, resize, flip, colour, blur, solarise, normalise.
///
/// Every draw is keyed by (seed, epoch, sample, view): views do not depend on ranks, threads or order.
package struct TwoViewTransform: Sendable {
    package let imageSize: Int
    package let seed: UInt64
    private let augmentation: Augmentation
    private let normalization: PixelNormalization
    private let sampler: CropSampler

    /// - Parameter minimumCrop: least area of a crop as a share of the image.
    package init(
        imageSize: Int, minimumCrop: Double, augmentation: Augmentation = Augmentation(),
        _ normalization: PixelNormalization = .imageNet, seed: UInt64
    ) {
        (self.imageSize, self.seed) = (imageSize, seed)
        (self.augmentation, self.normalization) = (augmentation, normalization)
        sampler = CropSampler(
            scale: minimumCrop...augmentation.maximumCrop,
            aspect: augmentation.minimumAspect...augmentation.maximumAspect)
    }

    /// Fills place `position` of `batch`. The picture is decoded once, as far as the two crops reach.
    func apply(
        _ bytes: [UInt8], epoch: Int, sample: Int, into batch: TwoViewBatch, position: Int, renderer: ViewRenderer
    ) throws {
        try ImageDecoder.open(bytes) { picture in
            let (width, height) = (picture.width, picture.height)
            let draws = (0..<2).map { draw(view: $0, width: width, height: height, epoch: epoch, sample: sample) }
            let decoded = try picture.decode(
                region: draws[0].crop.union(draws[1].crop),
                minimumScale: draws.map { $0.crop.decodingScale(width: imageSize, height: imageSize) }.max()!)
            for (view, draw) in draws.enumerated() {
                let (pixels, box) = view == 0 ? (batch.view1, batch.box1) : (batch.view2, batch.box2)
                let area = imageSize * imageSize * 3
                renderer.render(draw, from: decoded, into: pixels.pointer + position * area, normalization)
                write(draw.box(width: width, height: height), to: box, position)
            }
        }
    }

    /// All that chance decides about a view of a picture of `width` × `height`.
    package func draw(view: Int, width: Int, height: Int, epoch: Int, sample: Int) -> ViewDraw {
        var generator = KeyedGenerator(seed, UInt64(epoch), UInt64(sample), UInt64(view), Self.key)
        return ViewDraw(
            width: width, height: height, sampler: sampler, augmentation,
            view: view == 0 ? augmentation.view1 : augmentation.view2, &generator)
    }

    /// The two crops' boxes [1, 4] in a picture of `width` × `height`.
    package func boxes(width: Int, height: Int, epoch: Int, sample: Int) -> (Tensor, Tensor) {
        func box(_ view: Int) -> Tensor {
            let draw = draw(view: view, width: width, height: height, epoch: epoch, sample: sample)
            return Tensor([1, 4], draw.box(width: width, height: height))
        }
        return (box(0), box(1))
    }

    private func write(_ box: [Float], to boxes: Tensor, _ position: Int) {
        for (i, value) in box.enumerated() { boxes.floats[position * 4 + i] = value }
    }

    /// Sets views apart from every other use of the run's seed.
    private static let key: UInt64 = 0x7669_6577
}

extension ViewDraw {
    /// The crop's first and last pixel as shares of the image's width and height; flipping exchanges left and right, or
    /// top and bottom.
    func box(width: Int, height: Int) -> [Float] {
        // An image one pixel wide has its whole width at 0.
        let lastX = Double(max(width - 1, 1)), lastY = Double(max(height - 1, 1))
        var x = [Float(Double(crop.x) / lastX), Float(Double(crop.x + crop.width - 1) / lastX)]
        var y = [Float(Double(crop.y) / lastY), Float(Double(crop.y + crop.height - 1) / lastY)]
        if flips { x.swapAt(0, 1) }
        if flipsVertically { y.swapAt(0, 1) }
        return [x[0], y[0], x[1], y[1]]
    }
}

/// One picture after another to its two views, with memory that is kept: what a loader's thread does.
package final class PictureViews {
    private let transform: TwoViewTransform
    private let renderer: ViewRenderer
    /// The views of the last picture.
    package let batch: TwoViewBatch

    package init(_ transform: TwoViewTransform) {
        self.transform = transform
        renderer = ViewRenderer(imageSize: transform.imageSize)
        batch = TwoViewBatch(count: 1, imageSize: transform.imageSize)
    }

    /// Fills `batch`.
    package func load(_ bytes: [UInt8], epoch: Int, sample: Int) throws {
        try transform.apply(bytes, epoch: epoch, sample: sample, into: batch, position: 0, renderer: renderer)
    }
}

extension TwoViewTransform {
    /// The two views of one picture, as a batch of one.
    package func views(of bytes: [UInt8], epoch: Int, sample: Int) throws -> TwoViewBatch {
        let views = PictureViews(self)
        try views.load(bytes, epoch: epoch, sample: sample)
        return views.batch
    }
}
