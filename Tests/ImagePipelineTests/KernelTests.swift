import Foundation
import ImagePipeline
import TensorCore
import TestSupport
import Testing

/// Every kernel against its plain twin.
@Suite struct KernelTests {
    private func whole(_ image: RGBImage) -> DecodedRegion {
        DecodedRegion(image: image, originX: 0, originY: 0, scaleX: 1, scaleY: 1)
    }

    private func largestDifference(_ a: [Float], _ b: [Double]) -> Double {
        #expect(a.count == b.count)
        return zip(a, b).map { abs(Double($0) - $1) }.max() ?? .infinity
    }

    /// Enlarged, about the same, reduced by up to nine; one pixel; long and thin.
    @Test(arguments: [
        (40, 30, 64, 48), (61, 47, 60, 46), (61, 47, 32, 32), (90, 70, 32, 33), (97, 101, 11, 17), (1, 1, 5, 4),
        (3, 80, 16, 16), (70, 2, 8, 8),
    ]) func resizing(_ sizes: (Int, Int, Int, Int)) {
        let image = testPicture(sizes.0, sizes.1), (width, height) = (sizes.2, sizes.3)
        var generator = KeyedGenerator(UInt64(width))
        for _ in 0..<6 {
            let w = 1 + generator.integer(below: image.width), h = 1 + generator.integer(below: image.height)
            let crop = PixelRegion(
                x: generator.integer(below: image.width - w + 1), y: generator.integer(below: image.height - h + 1),
                width: w, height: h)
            let twin = Twin.resized(
                Twin.Picture(image), Double(crop.x), Double(crop.x + w), Double(crop.y), Double(crop.y + h),
                width: width, height: height)
            #expect(largestDifference(resized(whole(image), crop, width, height), twin.pixels) < 1e-3, "\(crop)")
            let mirrored = resized(whole(image), crop, width, height, mirrored: true)
            #expect(largestDifference(mirrored, twin.mirrored.pixels) < 1e-3, "\(crop)")
        }
    }

    /// A part decoded at a fraction, whose edges lie between pixels.
    @Test func resizingBetweenPixels() {
        let image = testPicture(50, 40)
        let decoded = DecodedRegion(image: image, originX: 12, originY: 20, scaleX: 0.25, scaleY: 0.5)
        let result = resized(decoded, PixelRegion(x: 13, y: 27, width: 150, height: 61), 24, 20)
        let twin = Twin.resized(
            Twin.Picture(image), 0.25, 37.75, 3.5, 34, width: 24, height: 20)
        #expect(largestDifference(result, twin.pixels) < 1e-3)
    }

    @Test(arguments: [0.1, 0.5, 1, 1.4, 1.5, 2, 3.7], [(33, 20), (224, 3), (2, 9), (1, 1)])
    func blurring(_ sigma: Double, _ size: (Int, Int)) {
        let image = testPicture(size.0, size.1)
        let result = blurred(image.pixels.map(Float.init), size.0, size.1, sigma)
        #expect(largestDifference(result, Twin.blurred(Twin.Picture(image), sigma: sigma).pixels) < 1e-3)
    }

    @Test(arguments: [1, 7, 64, 101]) func colours(_ count: Int) {
        var generator = KeyedGenerator(UInt64(count))
        // Grays and pure colours among all others.
        let pixels = (0..<count * 3).map { i -> Double in
            if i / 3 % 5 == 0 { return 77 }
            if i / 3 % 7 == 0 { return Double(i % 3) * 127.5 }
            return Double(generator.integer(below: 256))
        }
        let picture = Twin.Picture(count, 1) { x, _, c in pixels[x * 3 + c] }
        let steps: [ViewDraw.ColorStep] = [
            .brightness(0.6), .brightness(1.4), .contrast(0.6), .contrast(1.37), .saturation(0.8), .saturation(1.2),
            .hue(-0.1), .hue(0), .hue(0.1), .hue(0.03),
        ]
        for step in steps {
            let runs = Tensor([3, count])
            for i in 0..<count * 3 { runs.floats[i % 3 * count + i / 3] = Float(pixels[i]) }
            let colors = ColorRuns(runs.pointer, count: count)
            colors.apply(step, meanGray: colors.graySum / Float(count))
            let result = (0..<count * 3).map { runs.floats[$0 % 3 * count + $0 / 3] }
            #expect(largestDifference(result, Twin.colored(picture, step).pixels) < 2e-3, "\(step)")
        }
    }

    /// All kernels together, over drawn views of both kinds.
    @Test func views() throws {
        let size = 40, image = testPicture(75, 61)
        let bytes = try encodePNG(rgb: image.pixels, width: image.width, height: image.height)
        let transform = TwoViewTransform(imageSize: size, minimumCrop: 0.08, seed: 11)
        for sample in 0..<25 {
            let batch = try transform.views(of: bytes, epoch: 2, sample: sample)
            for (view, pixels) in [batch.view1, batch.view2].enumerated() {
                let draw = transform.draw(
                    view: view, width: image.width, height: image.height, epoch: 2, sample: sample)
                let twin = Twin.view(Twin.Picture(image), draw, size: size)
                // A pixel on the edge of solarising may fall to either side of it.
                let far = zip(pixels.array, twin).count { abs(Double($0) - $1) > 1e-4 }
                #expect(far <= (draw.solarizes ? 2 : 0), "sample \(sample), view \(view): \(far) of \(pixels.count)")
            }
        }
    }
}

/// Decoding large pictures at a fraction of their size.
@Suite struct CoarseDecodingTests {
    /// `decodingScale` says how exact: over photographs 0.6 to 1.1 levels in the mean, 99 of 100 pixels within 6.
    @Test(arguments: [(60, 2), (32, 2), (30, 4)]) func resultsAreCloseToThoseOfFullSize(_ size: Int, _ divisor: Int)
        throws
    {
        var differences: [Double] = []
        for seed in 0..<6 {
            let picture = photograph(seed)
            let bytes = try encodeJPEG(rgb: picture.pixels, width: picture.width, height: picture.height)
            let crop = PixelRegion(x: 5, y: 3, width: 250, height: 243)
            let full = try ImageDecoder.decode(bytes, region: crop, minimumScale: 1)
            let coarse = try ImageDecoder.decode(
                bytes, region: crop, minimumScale: crop.decodingScale(width: size, height: size))
            #expect(coarse.scaleX == 1 / Double(divisor) && full.scaleX == 1)
            differences += zip(resized(coarse, crop, size, size), resized(full, crop, size, size)).map {
                Double(abs($0 - $1))
            }
        }
        differences.sort()
        #expect(differences.reduce(0, +) / Double(differences.count) < 1.2)
        #expect(differences[differences.count * 99 / 100] < 6)
    }

    @Test func noPictureIsDecodedSmallerThanTwiceItsView() {
        #expect(PixelRegion(x: 0, y: 0, width: 300, height: 447).decodingScale(width: 224, height: 224) == 1)
        let large = PixelRegion(x: 0, y: 0, width: 4000, height: 1792)
        #expect(large.decodingScale(width: 224, height: 224) == 0.25)
    }

    /// Soft shapes with edges and a little noise: as much detail as a photograph.
    private func photograph(_ seed: Int) -> RGBImage {
        var generator = KeyedGenerator(UInt64(seed), 77)
        let shapes = (0..<30).map { _ in
            (
                x: generator.uniform(0, 260), y: generator.uniform(0, 260), radius: generator.uniform(4, 60),
                color: [generator.uniform(0, 255), generator.uniform(0, 255), generator.uniform(0, 255)]
            )
        }
        let noise = (0..<260 * 260).map { _ in 6 * generator.normal() }
        return RGBImage(
            width: 260, height: 260,
            pixels: (0..<260 * 260 * 3).map { i in
                let (x, y, c) = (Double(i / 3 % 260), Double(i / 3 / 260), i % 3)
                let shape = shapes.last { hypot(x - $0.x, y - $0.y) < $0.radius }
                let base = shape.map { $0.color[c] + 20 * sin(hypot(x - $0.x, y - $0.y) / 3) } ?? (x + y) / 2
                return UInt8(clamping: Int(base + noise[i / 3]))
            })
    }
}
