import TensorCore

/// An image's bytes to its two views: crop, resize, flip, colour, blur, solarise, normalise (the published recipes).
///
/// Every draw is keyed by (seed, epoch, sample, view): views do not depend on ranks, threads or order.
public struct TwoViewTransform: Sendable {
    public let imageSize: Int
    public let seed: UInt64
    private let sampler: CropSampler

    public init(imageSize: Int, minimumCrop: Double, seed: UInt64) {
        self.imageSize = imageSize
        self.seed = seed
        sampler = CropSampler(minimumScale: minimumCrop)
    }

    /// Working memory of one thread.
    final class Scratch {
        fileprivate var planes: [Float] = []
        fileprivate var row: [Float] = []
        fileprivate var blur: [Float] = []
    }

    /// Fills place `position` of `batch`. The picture is decoded once, as far as the two crops reach.
    func apply(
        _ bytes: [UInt8], epoch: Int, sample: Int, into batch: TwoViewBatch, position: Int, scratch: Scratch
    ) throws {
        let size = try ImageDecoder.size(of: bytes)
        let draws = (0..<2).map { view in
            var generator = KeyedGenerator(seed, UInt64(epoch), UInt64(sample), UInt64(view), Self.key)
            return ViewDraw(width: size.width, height: size.height, sampler: sampler, view: view, &generator)
        }
        // Coarse enough that neither crop is enlarged where it was not before.
        let scale = draws.map { Double(imageSize) / Double(min($0.crop.width, $0.crop.height)) }.max()!
        let decoded = try ImageDecoder.decode(
            bytes, region: draws[0].crop.union(draws[1].crop), minimumScale: min(scale, 1))
        for (view, draw) in draws.enumerated() {
            let (pixels, box) = view == 0 ? (batch.view1, batch.box1) : (batch.view2, batch.box2)
            let area = imageSize * imageSize * 3
            render(draw, from: decoded, into: pixels.pointer + position * area, scratch)
            write(draw.box(width: size.width, height: size.height), to: box, position)
        }
    }

    private func write(_ box: [Float], to boxes: Tensor, _ position: Int) {
        for (i, value) in box.enumerated() { boxes.floats[position * 4 + i] = value }
    }

    private func render(
        _ draw: ViewDraw, from decoded: DecodedRegion, into target: UnsafeMutablePointer<Float>, _ scratch: Scratch
    ) {
        let count = imageSize * imageSize
        if scratch.planes.count < 3 * count { scratch.planes = [Float](repeating: 0, count: 3 * count) }
        scratch.planes.withUnsafeMutableBufferPointer { planes in
            let planes = planes.baseAddress!
            decoded.resize(draw.crop, width: imageSize, height: imageSize, into: planes, scratch: &scratch.row)
            let colors = ColorPlanes(planes, count: count)
            for step in draw.colorSteps { colors.apply(step) }
            if draw.grayscale { colors.makeGray() }
            if let sigma = draw.blur {
                for channel in 0..<3 {
                    blur(
                        planes + channel * count, width: imageSize, height: imageSize, sigma: sigma,
                        scratch: &scratch.blur)
                }
            }
            if draw.solarizes { colors.solarize() }
            interleave(planes, width: imageSize, height: imageSize, flips: draw.flips, into: target)
        }
    }

    /// Sets views apart from every other use of the run's seed.
    private static let key: UInt64 = 0x7669_6577
}

extension DecodedRegion {
    /// Resizes `crop`, in pixels of the whole picture, into float planes.
    package func resize(
        _ crop: PixelRegion, width: Int, height: Int, into planes: UnsafeMutablePointer<Float>, scratch: inout [Float]
    ) {
        func axis(_ start: Int, _ length: Int, _ origin: Double, _ scale: Double, _ limit: Int, _ outputs: Int) -> AxisWeights {
            let low = (Double(start) - origin) * scale
            return AxisWeights(
                low: max(low, 0), high: min(low + Double(length) * scale, Double(limit)), limit: limit, outputs: outputs)
        }
        ImagePipeline.resize(
            image, x: axis(crop.x, crop.width, originX, scaleX, image.width, width),
            y: axis(crop.y, crop.height, originY, scaleY, image.height, height), width: width, height: height,
            into: planes, scratch: &scratch)
    }
}

extension ViewDraw {
    /// The crop's first and last pixel as shares of the image's width and height; flipping exchanges left and right.
    func box(width: Int, height: Int) -> [Float] {
        // An image one pixel wide has its whole width at 0.
        let right = Double(max(width - 1, 1)), bottom = Double(max(height - 1, 1))
        let x0 = Float(Double(crop.x) / right), x1 = Float(Double(crop.x + crop.width - 1) / right)
        let y0 = Float(Double(crop.y) / bottom), y1 = Float(Double(crop.y + crop.height - 1) / bottom)
        return flips ? [x1, y0, x0, y1] : [x0, y0, x1, y1]
    }
}

extension TwoViewTransform {
    /// The two views of one picture, as a batch of one.
    public func views(of bytes: [UInt8], epoch: Int, sample: Int) throws -> TwoViewBatch {
        let batch = TwoViewBatch(count: 1, imageSize: imageSize)
        try apply(bytes, epoch: epoch, sample: sample, into: batch, position: 0, scratch: Scratch())
        return batch
    }
}
