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

    /// A change of these numbers changes the pictures of every run that goes on, and those of the reference.
    @Test func theDrawsOfTheDefaultsStay() {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a, 64 bits
        func add(_ word: UInt64) {
            for byte in 0..<8 { hash = (hash ^ (word >> (8 * byte) & 255)) &* 0x100_0000_01b3 }
        }
        for sample in 0..<500 {
            for view in 0..<2 {
                let draw = transform.draw(view: view, width: 90 + sample % 7, height: 70, epoch: 3, sample: sample)
                for number in [draw.crop.x, draw.crop.y, draw.crop.width, draw.crop.height] { add(UInt64(number)) }
                for flag in [draw.flips, draw.grayscale, draw.solarizes] { add(flag ? 1 : 0) }
                for step in draw.colorSteps {
                    switch step {
                    case .brightness(let value): add(UInt64(value.bitPattern))
                    case .contrast(let value): add(1 << 32 + UInt64(value.bitPattern))
                    case .saturation(let value): add(2 << 32 + UInt64(value.bitPattern))
                    case .hue(let value): add(3 << 32 + UInt64(value.bitPattern))
                    }
                }
                add(draw.blur?.bitPattern ?? 0)
            }
        }
        #expect(hash == 10_622_210_904_191_649_888)
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
        // Red grows to the right: in a view that is not flipped it does so too, unless its colours were changed.
        let pixels = (0..<64 * 64).flatMap { i -> [UInt8] in [UInt8((i % 64) * 4), 128, 128] }
        let bytes = try encodePNG(rgb: pixels, width: 64, height: 64)
        var flipped: [Bool: Int] = [:]
        for sample in 0..<200 {
            let batch = try transform.views(of: bytes, epoch: 1, sample: sample)
            for (number, view, box) in [(0, batch.view1, batch.box1.array), (1, batch.view2, batch.box2.array)] {
                let draw = transform.draw(view: number, width: 64, height: 64, epoch: 1, sample: sample)
                guard draw.colorSteps.isEmpty, !draw.grayscale, !draw.solarizes else { continue }
                func red(_ columns: Range<Int>) -> Float {
                    (0..<32).reduce(0) { sum, y in columns.reduce(sum) { $0 + view.floats[(y * 32 + $1) * 3] } }
                }
                #expect((red(0..<8) > red(24..<32)) == (box[0] > box[2]), "sample \(sample), view \(number): \(box)")
                flipped[box[0] > box[2], default: 0] += 1
            }
        }
        #expect(flipped[true, default: 0] > 10 && flipped[false, default: 0] > 10, "\(flipped)")
    }

    /// The draws of many samples with settings.
    private func draws(_ augmentation: Augmentation, view: Int = 0, minimumCrop: Double = 0.08) -> [ViewDraw] {
        let transform = TwoViewTransform(imageSize: 32, minimumCrop: minimumCrop, augmentation: augmentation, seed: 7)
        return (0..<300).map { transform.draw(view: view, width: 200, height: 150, epoch: 0, sample: $0) }
    }

    @Test func probabilitiesOfZeroAndOneAreNeverAndAlways() {
        for always in [false, true] {
            var chances = Augmentation()
            let chance = always ? 1.0 : 0
            (chances.flip, chances.verticalFlip, chances.colorJitter, chances.grayscale) = (
                chance, chance, chance, chance
            )
            (chances.view1.blur, chances.view1.solarize) = (chance, 1 - chance)
            (chances.view2.blur, chances.view2.solarize) = (1 - chance, chance)
            for draw in draws(chances) {
                #expect(draw.flips == always && draw.flipsVertically == always && draw.grayscale == always)
                #expect(draw.colorSteps.isEmpty != always)
                #expect((draw.blur != nil) == always && draw.solarizes != always)
            }
            for draw in draws(chances, view: 1) { #expect((draw.blur != nil) != always && draw.solarizes == always) }
        }
    }

    @Test func strengthsAreTheRangesOfTheirDraws() {
        var chances = Augmentation()
        chances.colorJitter = 1
        (chances.brightness, chances.contrast, chances.saturation, chances.hue) = (0.1, 1.5, 0.7, 0.3)
        (chances.minimumBlur, chances.maximumBlur) = (3, 5)
        var seen: [String: ClosedRange<Double>] = [:]
        func see(_ name: String, _ value: Double) {
            let old = seen[name] ?? value...value
            seen[name] = min(old.lowerBound, value)...max(old.upperBound, value)
        }
        for draw in draws(chances) {
            see("blur", draw.blur ?? 0)
            for step in draw.colorSteps {
                switch step {
                case .brightness(let value): see("brightness", Double(value))
                case .contrast(let value): see("contrast", Double(value))
                case .saturation(let value): see("saturation", Double(value))
                case .hue(let value): see("hue", Double(value))
                }
            }
        }
        // 300 draws come near both ends of their range.
        for (name, range) in [
            ("brightness", 0.9...1.1), ("contrast", 0...2.5), ("saturation", 0.3...1.7), ("hue", -0.3...0.3),
            ("blur", 3...5),
        ] {
            let length = range.upperBound - range.lowerBound
            #expect(abs(seen[name]!.lowerBound - range.lowerBound) < 0.05 * length, "\(name)")
            #expect(abs(seen[name]!.upperBound - range.upperBound) < 0.05 * length, "\(name)")
            #expect(
                seen[name]!.lowerBound > range.lowerBound - 1e-6 && seen[name]!.upperBound < range.upperBound + 1e-6)
        }
    }

    @Test func cropsHaveAreasAndShapesOfTheirRanges() {
        var chances = Augmentation()
        (chances.maximumCrop, chances.minimumAspect, chances.maximumAspect) = (0.3, 2, 2.5)
        for draw in draws(chances, minimumCrop: 0.2) {
            let area = Double(draw.crop.width * draw.crop.height) / 30_000
            #expect(area > 0.19 && area < 0.31)
            let aspect = Double(draw.crop.width) / Double(draw.crop.height)
            #expect(aspect > 1.93 && aspect < 2.6)
        }
        // No crop of the whole area can be so wide: the middle, as wide as allowed.
        (chances.maximumCrop, chances.minimumAspect) = (1, 2.5)
        #expect(draws(chances, minimumCrop: 1)[0].crop == PixelRegion(x: 0, y: 35, width: 200, height: 80))
    }

    @Test func thePictureOfASinglePixelsWidthHasACrop() {
        var chances = Augmentation()
        (chances.minimumAspect, chances.maximumAspect) = (4, 10)
        let tall = TwoViewTransform(imageSize: 8, minimumCrop: 1, augmentation: chances, seed: 1)
        #expect(tall.draw(view: 0, width: 1, height: 200, epoch: 0, sample: 0).crop.height == 1)
        (chances.minimumAspect, chances.maximumAspect) = (0.1, 0.1)
        let wide = TwoViewTransform(imageSize: 8, minimumCrop: 1, augmentation: chances, seed: 1)
        #expect(wide.draw(view: 0, width: 200, height: 1, epoch: 0, sample: 0).crop.width == 1)
    }

    @Test func aChangedProbabilityLeavesTheOtherDraws() {
        var chances = Augmentation()
        (chances.flip, chances.view1.solarize, chances.verticalFlip, chances.colorJitter) = (0, 1, 1, 1)
        for (a, b) in zip(draws(Augmentation()), draws(chances)) {
            #expect(a.crop == b.crop && a.grayscale == b.grayscale && a.blur == b.blur)
        }
    }

    @Test func aViewUpsideDownIsTheMirrorOfItsBox() throws {
        let bytes = try encodeJPEG(rgb: testPicture(90, 70).pixels, width: 90, height: 70)
        var chances = Augmentation()
        (chances.colorJitter, chances.grayscale) = (0, 0)
        chances.view1 = chances.view2
        (chances.view1.blur, chances.view1.solarize) = (0, 0)
        func views(_ verticalFlip: Double) throws -> TwoViewBatch {
            chances.verticalFlip = verticalFlip
            return try TwoViewTransform(imageSize: 32, minimumCrop: 0.3, augmentation: chances, seed: 1)
                .views(of: bytes, epoch: 0, sample: 5)
        }
        let upright = try views(0), flipped = try views(1)
        for y in 0..<32 {
            let row = (0..<96).map { upright.view1.floats[y * 96 + $0] }
            #expect((0..<96).map { flipped.view1.floats[(31 - y) * 96 + $0] } == row)
        }
        let box = upright.box1.array
        #expect(flipped.box1.array == [box[0], box[3], box[2], box[1]] && box[1] < box[3])
    }

    @Test func aBlurWiderThanTheViewIsFinite() throws {
        let bytes = try encodePNG(rgb: testPicture(40, 30).pixels, width: 40, height: 30)
        var chances = Augmentation()
        (chances.minimumBlur, chances.maximumBlur) = (0, 100)
        let transform = TwoViewTransform(imageSize: 32, minimumCrop: 0.08, augmentation: chances, seed: 1)
        for sample in 0..<20 {
            let views = try transform.views(of: bytes, epoch: 0, sample: sample)
            #expect(views.view1.isFinite && views.view1.floats.allSatisfy { abs($0) < 3 })
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
                let raw = value * PixelNormalization.imageNet.deviation[c] + PixelNormalization.imageNet.mean[c]
                let expected = Float(picture.pixels[((y + 38) * 256 + x + 16) * 3 + c]) / 255
                #expect(abs(raw - expected) < 1e-4)
            }
        }
        // The whole picture, resized and normalised.
        let plain = try EvaluationTransform.plainView(bytes, height: 20, width: 30)
        let twin = Twin.resized(Twin.Picture(picture), 0, 256, 0, 300, width: 30, height: 20).pixels
        #expect(plain.shape == [20, 30, 3])
        for (i, expected) in twin.enumerated() {
            let raw =
                plain.floats[i] * PixelNormalization.imageNet.deviation[i % 3] + PixelNormalization.imageNet.mean[i % 3]
            #expect(abs(Double(raw) - expected / 255) < 1e-4)
        }
    }
}
