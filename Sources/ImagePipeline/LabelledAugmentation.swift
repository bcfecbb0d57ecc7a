import TensorCore

/// What chance may do to a labelled picture: MoCo's recipe (scale, crop, flip), and mmsegmentation's distortion of colours.
package struct LabelledAugmentation: Sendable, Equatable {
    /// Least and most enlargement of the picture.
    package var minimumScale = 0.5
    package var maximumScale = 2.0
    /// A crop with more than this share of one class among its labelled pixels is drawn anew, at most ten times.
    package var mostOfOneClass = 1.0
    /// Probability of exchanging left and right.
    package var flip = 0.5
    /// Probability of each of the four changes of colour.
    package var distortion = 0.0
    /// Strengths: factors are uniform in 1 ± strength.
    package var brightness = 0.125
    package var contrast = 0.5
    package var saturation = 0.5
    /// Strength: the turn is uniform in ± this share of the colour circle.
    package var hue = 0.05

    package init() {}
}

/// All that chance decides about a labelled picture: a function of (seed, epoch, sample) and, for a crop that is drawn
/// anew, of the labels.
struct LabelledDraw {
    /// In upright pixels; what of it becomes of `width` × `height` pixels in the left upper corner of the crop.
    private(set) var region: PixelRegion
    let width, height: Int
    let flips: Bool
    let colorSteps: [ViewDraw.ColorStep]
    private let pictureWidth, pictureHeight: Int

    /// Every number is drawn whether it is used or not, so that a changed probability leaves all other draws as they are.
    init(
        width pictureWidth: Int, height pictureHeight: Int, side: Int, _ chances: LabelledAugmentation,
        _ generator: inout KeyedGenerator
    ) {
        (self.pictureWidth, self.pictureHeight) = (pictureWidth, pictureHeight)
        let scale = generator.uniform(chances.minimumScale, chances.maximumScale)
        flips = generator.chance(chances.flip)
        func factor(_ strength: Double) -> Float { Float(generator.uniform(max(0, 1 - strength), 1 + strength)) }
        let steps: [ViewDraw.ColorStep] = [
            .brightness(factor(chances.brightness)), .contrast(factor(chances.contrast)),
            .saturation(factor(chances.saturation)), .hue(Float(generator.uniform(-chances.hue, chances.hue))),
        ]
        colorSteps = steps.filter { _ in generator.chance(chances.distortion) }
        /// Pixels of the picture that a side of the crop takes, and what they become.
        func extent(_ pixels: Int) -> (taken: Int, made: Int) {
            let wanted = max(Int((Double(side) / scale).rounded()), 1)
            guard wanted > pixels else { return (wanted, side) }
            return (pixels, min(max(Int((Double(pixels) * scale).rounded()), 1), side))
        }
        let columns = extent(pictureWidth), rows = extent(pictureHeight)
        (width, height) = (columns.made, rows.made)
        region = PixelRegion(x: 0, y: 0, width: columns.taken, height: rows.taken)
        move(&generator)
    }

    /// Draws another place of the crop.
    mutating func move(_ generator: inout KeyedGenerator) {
        region.x = generator.integer(below: pictureWidth - region.width + 1)
        region.y = generator.integer(below: pictureHeight - region.height + 1)
    }

    /// The class ids of the crop, `side` × `side`: those of the pixels that lie nearest, `void` beyond the picture.
    func labels(_ ids: [UInt8], side: Int, void: UInt8) -> [UInt8] {
        var crop = [UInt8](repeating: void, count: side * side)
        // The pixel whose area holds the centre of that of the crop.
        let columns = (0..<width).map { x in
            let at = (2 * x + 1) * region.width / (2 * width)
            return region.x + (flips ? region.width - 1 - at : at)
        }
        for y in 0..<height {
            let row = (region.y + (2 * y + 1) * region.height / (2 * height)) * pictureWidth
            for x in 0..<width { crop[y * side + x] = ids[row + columns[x]] }
        }
        return crop
    }
}
