import TensorCore

/// Pictures with their label maps to crops of one size: scaled, cropped, mirrored, coloured and normalised.
///
/// Every draw is keyed by (seed, epoch, sample): crops depend on neither ranks, threads nor order.
package struct LabelledTransform: SampleLoading {
    package let seed: UInt64
    private let folder: SegmentationFolder
    private let classes: Int
    private let void: Int?
    private let side: Int
    private let augmentation: LabelledAugmentation
    private let normalization: PixelNormalization

    /// What labels of pixels say that count nowhere, and of those beyond the picture.
    package var ignored: UInt8 { UInt8(void ?? 255) }

    /// - Parameters:
    ///   - folder: of the pictures in the order in which a run lists them.
    ///   - side: of the crops in pixels.
    package init(
        _ folder: SegmentationFolder, classes: Int, void: Int?, side: Int, _ augmentation: LabelledAugmentation,
        _ normalization: PixelNormalization = .imageNet, seed: UInt64
    ) {
        (self.folder, self.classes, self.void, self.side) = (folder, classes, void, side)
        (self.augmentation, self.normalization, self.seed) = (augmentation, normalization, seed)
    }

    package func makeWorkspace() -> CropRenderer { CropRenderer(side: side) }

    package func makeBatch(count: Int) -> LabelledBatch { LabelledBatch(count: count, side: side) }

    package func load(
        _ bytes: [UInt8], picture: Int, key: SampleKey, into batch: LabelledBatch, position: Int,
        workspace: CropRenderer
    ) throws {
        let map = try folder.labels(of: picture, bytes: bytes, classes: classes, void: void)
        var generator = KeyedGenerator(seed, UInt64(key.epoch), UInt64(key.sample), Self.key)
        var draw = LabelledDraw(width: map.width, height: map.height, side: side, augmentation, &generator)
        var ids = draw.labels(map.ids, side: side, void: ignored)
        for _ in 0..<10 where isUniform(ids) {
            draw.move(&generator)
            ids = draw.labels(map.ids, side: side, void: ignored)
        }
        try workspace.render(bytes, draw, into: batch.images.pointer + position * side * side * 3, normalization)
        batch.set(position, labels: ids)
    }

    /// Whether one class takes more of a crop than it may.
    private func isUniform(_ ids: [UInt8]) -> Bool {
        guard augmentation.mostOfOneClass < 1 else { return false }
        var counts = [Int](repeating: 0, count: 256)
        for id in ids { counts[Int(id)] += 1 }
        counts[Int(ignored)] = 0
        return Double(counts.max()!) > augmentation.mostOfOneClass * Double(counts.reduce(0, +))
    }

    /// Sets crops apart from every other use of the run's seed.
    private static let key: UInt64 = 0x6C61_6265_6C6C
}

/// Makes crops of labelled pictures; holds the working memory of one thread.
package final class CropRenderer {
    private let side: Int
    private let resizer = Resizer()
    /// A row of reds, greens and blues for each of the crop's.
    private let rows: Tensor

    init(side: Int) {
        self.side = side
        rows = Tensor([side, 3, side])
    }

    /// Writes the crop [side, side, 3], normalised, zero beyond the picture, to `target`.
    func render(
        _ bytes: [UInt8], _ draw: LabelledDraw, into target: UnsafeMutablePointer<Float>,
        _ normalization: PixelNormalization
    ) throws {
        let (width, height) = (draw.width, draw.height)
        let decoded = try ImageDecoder.decode(
            bytes, region: draw.region, minimumScale: draw.region.decodingScale(width: width, height: height))
        resizer.set(decoded, crop: draw.region, width: width, height: height, mirrored: draw.flips)
        for y in 0..<height { resizer.resizeRow(y, of: decoded.image, into: rows.pointer + y * 3 * side) }
        for step in draw.colorSteps {
            let sum = (0..<height).reduce(0.0) { $0 + Double(colors(row: $1, width).graySum) }
            let meanGray = Float(sum / Double(width * height))
            for y in 0..<height { colors(row: y, width).apply(step, meanGray: meanGray) }
        }
        target.update(repeating: 0, count: side * side * 3)
        for y in 0..<height { interleave(colors(row: y, width), into: target + y * side * 3, normalization) }
    }

    /// The runs of a row lie one behind the other.
    private func colors(row: Int, _ width: Int) -> ColorRuns { ColorRuns(rows.pointer + row * 3 * side, count: width) }
}
