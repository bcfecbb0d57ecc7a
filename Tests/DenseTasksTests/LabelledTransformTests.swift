import ImagePipeline
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Suite struct LabelledTransformTests {
    private static let (width, height) = (60, 44)

    /// A picture in 4 × 4 blocks of grey, and its labels: class k where the grey is 60 k.
    private func withBlocks(_ body: (SegmentationFolder) throws -> Void) throws {
        let (width, height) = (Self.width, Self.height)
        let ids = (0..<width * height).map { pixel in
            (pixel % width * 4 / width + pixel / width * 4 / height * 3) % 4
        }
        try withAnnotatedFolder { folder in
            let picture = PlainPNG(width, height, .rgb, ids.flatMap { [Int](repeating: 60 * $0, count: 3) })
            try folder.write(picture.bytes, to: "images/a.png")
            try folder.write(PlainPNG(width, height, .gray, ids).bytes, to: "labels/a.png")
            try body(try SegmentationFolder(images: folder.file("images"), labels: folder.file("labels")))
        }
    }

    private func load(
        _ folder: SegmentationFolder, side: Int, _ augmentation: LabelledAugmentation, sample: Int
    ) throws -> (image: Tensor, ids: [UInt8]) {
        let transform = LabelledTransform(folder, classes: 4, void: 255, side: side, augmentation, seed: 3)
        let batch = transform.makeBatch(count: 2)
        for position in 0..<2 {
            try transform.load(
                try folder.imageBytes(of: 0), picture: 0, key: SampleKey(epoch: 1, sample: sample + position),
                into: batch, position: position, workspace: transform.makeWorkspace())
        }
        return (batch.images.rows(1..<2), Array(batch.ids.suffix(side * side)))
    }

    /// Whatever is drawn, a pixel whose neighbours have its label shows what that label says.
    @Test(arguments: [0.3, 1, 2.5]) func labelsFollowTheirPixels(_ scale: Double) throws {
        var augmentation = LabelledAugmentation()
        (augmentation.minimumScale, augmentation.maximumScale) = (0.9 * scale, 1.1 * scale)
        let side = 40
        try withBlocks { folder in
            var compared = 0, padded = 0
            for sample in 0..<12 {
                let (image, ids) = try load(folder, side: side, augmentation, sample: sample)
                for y in 2..<side - 2 {
                    for x in 2..<side - 2 {
                        let id = ids[y * side + x]
                        let around = (-2...2).flatMap { dy in (-2...2).map { ids[(y + dy) * side + x + $0] } }
                        guard around.allSatisfy({ $0 == id }) else { continue }
                        let red = image.floats[(y * side + x) * 3]
                        // Beyond the picture there is nothing, after normalisation.
                        let level = (Float(id) * 60 / 255 - 0.485) / 0.229, expected = id == 255 ? 0 : level
                        #expect(abs(red - expected) < 0.1, "\(sample): label \(id) on \(red) at \(x), \(y)")
                        compared += 1
                        padded += id == 255 ? 1 : 0
                    }
                }
            }
            #expect(compared > 500)
            #expect((padded > 0) == (Double(Self.height) * augmentation.maximumScale < Double(side)))
        }
    }

    @Test func cropsAreKeyedAndCropsOfOneClassAreDrawnAnew() throws {
        var augmentation = LabelledAugmentation()
        (augmentation.minimumScale, augmentation.maximumScale, augmentation.distortion) = (4, 6, 0.5)
        func mostOfOneClass(_ ids: [UInt8]) -> Double {
            Double((0..<4).map { id in ids.count { $0 == id } }.max()!) / Double(ids.count)
        }
        try withBlocks { folder in
            let free = try (0..<20).map { try load(folder, side: 36, augmentation, sample: $0) }
            let again = try (0..<20).map { try load(folder, side: 36, augmentation, sample: $0) }
            #expect(zip(free, again).allSatisfy { $0.ids == $1.ids && $0.image.array == $1.image.array })
            augmentation.mostOfOneClass = 0.75
            let mixed = try (0..<20).map { try load(folder, side: 36, augmentation, sample: $0).ids }
            let before = free.count { mostOfOneClass($0.ids) > 0.75 }, after = mixed.count { mostOfOneClass($0) > 0.75 }
            #expect(before > 5 && after < before / 2, "\(before) of 20, then \(after)")
        }
    }
}
