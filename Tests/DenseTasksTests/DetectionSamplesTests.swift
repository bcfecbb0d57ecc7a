import DenseTasks
import ImagePipeline
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Pictures and their boxes, resized, cropped and mirrored together.
@Suite struct DetectionSamplesTests {
    private static let (width, height) = (90, 60)
    /// Blue on red: its box and what it says.
    private static let object = Box(x: 30, y: 12, width: 24, height: 18)

    private func views(_ change: (inout DetectionViews) -> Void) -> DetectionViews {
        var views = DetectionViews()
        (views.minimumSize, views.maximumSize, views.longestSide, views.flip) = (60, 60, 1000, 0)
        change(&views)
        return views
    }

    @Test func sizesAreThoseOfThePublishedProgram() {
        func size(_ width: Int, _ height: Int, _ short: Int, longest: Int) -> [Int] {
            let region = PixelRegion(x: 0, y: 0, width: width, height: height)
            let size = views { $0.longestSide = longest }.size(of: region, shortSide: short)
            return [size.width, size.height]
        }
        #expect(size(640, 480, 800, longest: 1333) == [1066, 800])
        #expect(size(480, 640, 800, longest: 1333) == [800, 1066])
        // 1000/400 · 800 is 2000: the short side becomes 533, the long one 533 · 2.5 without its half.
        #expect(size(1000, 400, 800, longest: 1333) == [1332, 533])
        #expect(size(300, 300, 512, longest: 512) == [512, 512])
        #expect(size(10_000, 1, 800, longest: 1333) == [1333, 1])
    }

    @Test func drawsAreKeyedAndShortSidesAreDrawnFromTheirRange() {
        func draw(_ sample: Int, _ views: DetectionViews, epoch: Int = 3) -> DetectionDraw {
            DetectionDraw(width: 90, height: 60, views, seed: 7, epoch: epoch, sample: sample)
        }
        let views = views { ($0.minimumSize, $0.flip, $0.crop) = (40, 0.5, 0.5) }
        let draws = (0..<400).map { draw($0, views) }
        #expect(draws == (0..<400).map { draw($0, views) } && draws != (0..<400).map { draw($0, views, epoch: 4) })
        let sizes = Set(draws.map { min($0.width, $0.height) })
        #expect(sizes == Set(40...60), "\(sizes.sorted())")
        #expect((150...250).contains(draws.count { $0.flips }))
        #expect((150...250).contains(draws.count { $0.region.width < 90 }))
        #expect(draws.allSatisfy { $0.region.width >= 45 && $0.region.height >= 30 })
        #expect(draws.allSatisfy { $0.region.x + $0.region.width <= 90 && $0.region.y + $0.region.height <= 60 })
        // What is not wanted is drawn all the same: sizes stay.
        var still = views
        (still.flip, still.crop) = (0, 0)
        let others = (0..<400).map { draw($0, still) }
        #expect(others.allSatisfy { !$0.flips && $0.region.width == 90 })
        #expect(others.map { min($0.width, $0.height) } == draws.map { min($0.width, $0.height) })
    }

    @Test func boxesAreScaledExactlyMirroredAndCut() throws {
        let plain = DetectionDraw(width: 90, height: 60, views { $0.minimumSize = 60 }, seed: 1, epoch: 0, sample: 0)
        #expect(plain.box(Self.object) == Self.object)
        let enlarged = DetectionDraw(
            width: 90, height: 60, views { ($0.minimumSize, $0.maximumSize) = (150, 150) }, seed: 1, epoch: 0, sample: 0
        )
        #expect(enlarged.box(Self.object) == Box(x: 75, y: 30, width: 60, height: 45))
        let mirrored = DetectionDraw(width: 90, height: 60, views { $0.flip = 1 }, seed: 1, epoch: 0, sample: 0)
        #expect(mirrored.box(Self.object) == Box(x: 36, y: 12, width: 24, height: 18))
        // Less than a pixel is left of it.
        let reduced = DetectionDraw(
            width: 90, height: 60, views { ($0.minimumSize, $0.maximumSize) = (3, 3) }, seed: 1, epoch: 0, sample: 0)
        #expect(reduced.box(Self.object) == nil && reduced.box(Box(x: 0, y: 0, width: 40, height: 40)) != nil)
        var (kept, cut, gone) = (0, 0, 0)
        for sample in 0..<200 {
            let draw = DetectionDraw(
                width: 90, height: 60, views { $0.crop = 1 }, seed: 1, epoch: 0, sample: sample)
            let region = draw.region
            let hasCentre =
                (Double(region.x)...Double(region.x + region.width)).contains(42)
                && (Double(region.y)...Double(region.y + region.height)).contains(21)
            let box = draw.box(Self.object)
            #expect((box != nil) == hasCentre)
            guard let box else {
                gone += 1
                continue
            }
            #expect(box.x >= 0 && box.y >= 0 && box.right <= Double(draw.width) + 1e-9)
            let whole = Double(draw.width) / Double(region.width) * 24
            if box.width < whole - 1e-9 { cut += 1 } else { kept += 1 }
        }
        #expect(min(kept, cut, gone) > 5, "\(kept) whole, \(cut) cut, \(gone) gone")
    }

    /// Whatever is drawn, blue is in the box and red around it.
    @Test func boxesFollowTheirPixels() throws {
        let (width, height) = (Self.width, Self.height), object = Self.object
        try withAnnotatedFolder { folder in
            let samples = (0..<width * height).flatMap { pixel -> [Int] in
                let (x, y) = (Double(pixel % width) + 0.5, Double(pixel / width) + 0.5)
                let inside = x > object.x && x < object.right && y > object.y && y < object.bottom
                return inside ? [0, 0, 255] : [255, 0, 0]
            }
            try folder.write(PlainPNG(width, height, .rgb, samples).bytes, to: "images/a.png")
            let box = "\(object.x),\(object.y),\(object.width),\(object.height)"
            let source = try folder.coco(
                images: [AnnotatedFolder.image(1, "a.png", width, height)],
                annotations: [
                    AnnotatedFolder.annotation(1, image: 1, box),
                    AnnotatedFolder.annotation(2, image: 1, "0,0,80,50", more: #","iscrowd":1"#),
                ])
            let pictures = try AnnotatedImages(source)
            let loading = DetectionSamples(
                pictures.images, views { ($0.minimumSize, $0.maximumSize, $0.flip, $0.crop) = (40, 160, 0.5, 0.5) },
                seed: 5)
            let batch = loading.makeBatch(count: 16)
            for position in 0..<16 {
                try loading.load(
                    try pictures.index.bytes(of: 0), picture: 0, key: SampleKey(epoch: 0, sample: position),
                    into: batch,
                    position: position, workspace: loading.makeWorkspace())
            }
            let other = PlainPNG(height, width, .rgb, samples).bytes
            let error = #expect(throws: ImageError.self) {
                try loading.load(
                    other, picture: 0, key: SampleKey(epoch: 0, sample: 0), into: batch, position: 0,
                    workspace: loading.makeWorkspace())
            }
            #expect(error?.reason == "is 60×90 pixels now, and was 90×60 when its annotations were read")
            var seen = 0
            for (image, objects) in zip(batch.images.all, batch.objects.all) {
                let image = try #require(image)
                for object in objects {
                    #expect(object.category == 0)
                    let blue = { (x: Double, y: Double) -> Bool in
                        let at = (Int(y) * image.shape[1] + Int(x)) * 3
                        return image.floats[at + 2] > image.floats[at]
                    }
                    let box = object.box, step = 3.0
                    #expect(blue(box.x + step, box.y + step) && blue(box.right - step, box.bottom - step))
                    if box.x > step { #expect(!blue(box.x - step, box.y + step)) }
                    if box.y > step { #expect(!blue(box.x + step, box.y - step)) }
                    if box.right < Double(image.shape[1]) - step { #expect(!blue(box.right + step, box.y + step)) }
                    seen += 1
                }
            }
            #expect(seen > 8)
            // P6 and P7 ask for no more: torchvision and the published program have cells over the edge there.
            let large = loading.makeBatch(count: 1)
            large.images[0] = randomTensor([800, 1066, 3], key: 3)
            #expect(large.padded(height: 800, width: 1066).shape == [1, 800, 1088, 3])
            // Padded to the largest and to a multiple of P5's stride, with zeros.
            let padded = batch.padded(height: batch.largest.height, width: batch.largest.width)
            #expect(padded.shape[1] % 32 == 0 && padded.shape[1] - batch.largest.height < 32)
            let first = try #require(batch.images[0]), stride = padded.shape[2] * 3
            for row in 0..<padded.shape[1] {
                let line = Array(padded.floats[row * stride..<(row + 1) * stride]), count = first.shape[1] * 3
                let own = row < first.shape[0] ? Array(first.floats[row * count..<(row + 1) * count]) : []
                #expect(Array(line[..<own.count]) == own && line[own.count...].allSatisfy { $0 == 0 })
            }
        }
    }

    /// Samples of unequal size with their objects, and one without.
    @Test func batchesAreKeptSampleBySample() throws {
        let batch = DetectionBatch(count: 2, sideMultiple: 32)
        (batch.images[0], batch.images[1]) = (randomTensor([3, 5, 3], key: 1), randomTensor([4, 2, 3], key: 2))
        batch.objects[1] = [TargetObject(box: Box(x: 0.1, y: 0.2, width: 1.3, height: 2.7), category: 4)]
        let again = try DetectionBatch(packed: batch.packed.reversed())
        #expect(again.images.all.map { $0!.shape } == [[4, 2, 3], [3, 5, 3]])
        #expect(again.images[1]!.array == batch.images[0]!.array && again.images[0]!.array == batch.images[1]!.array)
        #expect(again.objects.all == [batch.objects[1], []])
        #expect(again.padded(height: 4, width: 5).shape == [2, 32, 32, 3])
        #expect(throws: (any Error).self) { try DetectionBatch(packed: [Array(batch.packed[0].dropLast(3))]) }
    }
}
