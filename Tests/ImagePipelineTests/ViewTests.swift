import Foundation
import ImagePipeline
import TensorCore
import TestSupport
import Testing

/// A folder of a few pictures of several sizes, in two classes.
func withPictures(_ count: Int = 12, _ body: (String) throws -> Void) throws {
    try withTemporaryDirectory { folder in
        for i in 0..<count {
            let (w, h) = (40 + 7 * i, 90 - 3 * i)
            let path = folder + "/class\(i % 2)"
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data(try encodeJPEG(rgb: testPicture(w, h).pixels, width: w, height: h))
                .write(to: URL(fileURLWithPath: path + "/\(100 + i).jpg"))
        }
        try body(folder)
    }
}

@Suite struct ViewTests {
    let transform = TwoViewTransform(imageSize: 32, minimumCrop: 0.08, seed: 7)

    @Test func viewsAreAFunctionOfSeedEpochAndSample() throws {
        let bytes = try encodeJPEG(rgb: testPicture(90, 70).pixels, width: 90, height: 70)
        func views(_ seed: UInt64, _ epoch: Int, _ sample: Int) throws -> [Float] {
            let batch = try TwoViewTransform(imageSize: 32, minimumCrop: 0.08, seed: seed)
                .views(of: bytes, epoch: epoch, sample: sample)
            return batch.view1.array + batch.view2.array + batch.box1.array + batch.box2.array
        }
        let reference = try views(1, 2, 3)
        #expect(try views(1, 2, 3) == reference)
        for other in try [views(2, 2, 3), views(1, 3, 3), views(1, 2, 4)] { #expect(other != reference) }
        #expect(reference.allSatisfy { $0.isFinite && abs($0) < 3 })
    }

    @Test func boxesLieInTheImageAndTellTheFlip() throws {
        let bytes = try encodeJPEG(rgb: testPicture(120, 80).pixels, width: 120, height: 80)
        var flipped = 0, area = 0.0
        for sample in 0..<400 {
            let batch = try transform.views(of: bytes, epoch: 0, sample: sample)
            for box in [batch.box1.array, batch.box2.array] {
                #expect(box.allSatisfy { $0 >= 0 && $0 <= 1 } && box[1] < box[3])
                if box[0] > box[2] { flipped += 1 }
                area += Double(abs(box[2] - box[0]) * (box[3] - box[1]))
            }
        }
        #expect(abs(Double(flipped) / 800 - 0.5) < 0.08)
        // torchvision's own sampler has the mean 0.3867 for this size (20,000 draws); 800 draws come within 0.03 of it.
        #expect(abs(area / 800 - 0.3867) < 0.03)
    }

    @Test func aFlippedViewIsTheMirrorOfItsBox() throws {
        // Red grows to the right: in a view that is not flipped it does so too.
        let pixels = (0..<64 * 64).flatMap { i -> [UInt8] in [UInt8((i % 64) * 4), 128, 128] }
        let bytes = try encodePNG(rgb: pixels, width: 64, height: 64)
        for sample in 0..<40 {
            let batch = try transform.views(of: bytes, epoch: 1, sample: sample)
            let view = batch.view2, box = batch.box2.array
            var left: Float = 0, right: Float = 0
            for y in 0..<32 {
                for x in 0..<8 {
                    left += view.floats[(y * 32 + x) * 3]
                    right += view.floats[(y * 32 + 31 - x) * 3]
                }
            }
            // Gray, hue and solarised views may turn it around: look at clear cases of the plain ones.
            guard abs(left - right) > 100, view.floats.max()! < 2.6 else { continue }
            let draws = (right > left) == (box[2] > box[0])
            #expect(draws || sample >= 0 && isSolarized(view), "sample \(sample): \(box)")
        }
    }

    /// Solarising turns bright pixels dark, so no channel is left above the middle.
    private func isSolarized(_ view: Tensor) -> Bool {
        (0..<3).allSatisfy { c in
            stride(from: c, to: view.count, by: 3).allSatisfy {
                view.floats[$0] * PixelNormalization.deviation[c] + PixelNormalization.mean[c] <= 0.51
            }
        }
    }

    @Test func anImageOfOnePixelHasViews() throws {
        let batch = try transform.views(
            of: try encodePNG(rgb: [200, 100, 50], width: 1, height: 1), epoch: 0, sample: 0)
        #expect(batch.view1.isFinite && batch.box1.isFinite)
    }

    @Test func evaluationViewsAreCentred() throws {
        let picture = testPicture(256, 300)
        let bytes = try encodePNG(rgb: picture.pixels, width: 256, height: 300)
        let view = try EvaluationTransform.centerView(bytes, imageSize: 224)
        // 256 px resized to 256 and cut to the middle 224: pixels as they are.
        for (x, y) in [(0, 0), (100, 37), (223, 223)] {
            for c in 0..<3 {
                let value = view.floats[(y * 224 + x) * 3 + c]
                let raw = value * PixelNormalization.deviation[c] + PixelNormalization.mean[c]
                let expected = Float(picture.pixels[((y + 38) * 256 + x + 16) * 3 + c]) / 255
                #expect(abs(raw - expected) < 1e-4)
            }
        }
        #expect(try EvaluationTransform.plainView(bytes, height: 20, width: 30).shape == [20, 30, 3])
    }
}

@Suite struct PillowTests {
    private var planes: Tensor {
        let count = PillowFixtures.width * PillowFixtures.height
        let tensor = Tensor([3, count])
        for i in 0..<count * 3 { tensor.floats[i % 3 * count + i / 3] = Float(PillowFixtures.source[i]) }
        return tensor
    }

    private func reduced(_ crop: PixelRegion, _ width: Int, _ height: Int) -> [Float] {
        let whole = DecodedRegion(
            image: RGBImage(width: PillowFixtures.width, height: PillowFixtures.height, pixels: PillowFixtures.source),
            originX: 0, originY: 0, scaleX: 1, scaleY: 1)
        return resized(whole, crop, width, height)
    }

    /// Pillow rounds to bytes after each of its two passes.
    @Test func resizingIsPillows() {
        for (result, expected) in [
            (reduced(PixelRegion(x: 2, y: 1, width: 11, height: 9), 6, 5), PillowFixtures.reduced),
            (reduced(PixelRegion(x: 3, y: 2, width: 5, height: 5), 9, 8), PillowFixtures.enlarged),
        ] {
            #expect(result.count == expected.count)
            for (a, b) in zip(result, expected) { #expect(abs(a - b) <= 1.01) }
        }
    }

    @Test(arguments: [(0.7, PillowFixtures.blurredALittle), (1.7, PillowFixtures.blurredMuch)])
    func blurIsPillows(_ sigma: Double, _ expected: [Float]) {
        let width = PillowFixtures.width
        let result = blurred(PillowFixtures.source.map(Float.init), width, PillowFixtures.height, sigma)
        for i in 0..<expected.count {
            let (x, y) = (i / 3 % 8, i / 24)
            #expect(abs(result[(y * width + x) * 3 + i % 3] - expected[i]) <= 1.51, "\(x),\(y)")
        }
    }

    @Test(arguments: [
        ("brightness", PillowFixtures.brighter, Float(1.01)), ("contrast", PillowFixtures.flatter, 1.01),
        ("saturation", PillowFixtures.duller, 1.6), ("hue", PillowFixtures.turned, 6),
        ("gray", PillowFixtures.gray, 1.01),
        ("solarize", PillowFixtures.solarized, 0.01),
    ]) func coloursAreTorchvisions(_ name: String, _ expected: [Float], _ tolerance: Float) {
        let planes = planes, count = PillowFixtures.width * PillowFixtures.height
        let colors = ColorRuns(planes.pointer, count: count)
        let meanGray = colors.graySum / Float(count)
        switch name {
        case "brightness": colors.apply(.brightness(1.3), meanGray: meanGray)
        case "contrast": colors.apply(.contrast(0.7), meanGray: meanGray)
        case "saturation": colors.apply(.saturation(0.8), meanGray: meanGray)
        // Pillow keeps hue in a byte: 1/256 of the circle is up to six levels.
        case "hue": colors.apply(.hue(0.08), meanGray: meanGray)
        case "gray": colors.makeGray()
        default: colors.solarize()
        }
        for y in 0..<4 {
            for x in 0..<8 {
                for c in 0..<3 {
                    let mine = planes.floats[c * count + y * PillowFixtures.width + x]
                    #expect(abs(mine - expected[(y * 8 + x) * 3 + c]) <= tolerance, "\(name) at \(x),\(y) \(c)")
                }
            }
        }
    }

    @Test func blurKeepsTheMeanAndSpreadsAPoint() {
        var picture = [Float](repeating: 0, count: 41 * 41 * 3)
        for c in 0..<3 { picture[(20 * 41 + 20) * 3 + c] = 1 }
        let result = blurred(picture, 41, 41, 1.7)
        for c in 0..<3 {
            var mass = 0.0, variance = 0.0
            for i in 0..<41 * 41 {
                mass += Double(result[i * 3 + c])
                variance += Double(result[i * 3 + c]) * Double((i % 41 - 20) * (i % 41 - 20))
            }
            #expect(abs(mass - 1) < 1e-5 && abs(variance - 1.7 * 1.7) < 0.1)
        }
    }
}
