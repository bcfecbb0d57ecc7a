/// Makes views of decoded pictures; holds the working memory of one thread.
///
/// A view is worked on row by row, so that most work finds its numbers in the first-level cache: resized and coloured up to
/// the contrast, which needs the mean of the whole view, then coloured to the end, blurred and normalised.
package final class ViewRenderer {
    private let size: Int
    private let resizer = Resizer()
    private let blur: Blur
    /// `size` rows of `size` reds, greens and blues, and behind them one more, blurred.
    private let rows: UnsafeMutablePointer<Float>

    init(imageSize: Int) {
        size = imageSize
        blur = Blur(width: imageSize, height: imageSize)
        rows = .allocate(capacity: (size + 1) * 3 * size)
    }

    deinit { rows.deallocate() }

    /// Writes a view, normalised [size, size, 3], to `target`.
    func render(
        _ draw: ViewDraw, from decoded: DecodedRegion, into target: UnsafeMutablePointer<Float>,
        _ normalization: PixelNormalization
    ) {
        resizer.set(
            decoded, crop: draw.crop, width: size, height: size, mirrored: draw.flips, upsideDown: draw.flipsVertically)
        let steps = draw.colorSteps, contrast = steps.firstIndex(where: \.needsMean) ?? steps.endIndex
        var graySum = 0.0
        for y in 0..<size {
            let row = row(y)
            resizer.resizeRow(y, of: decoded.image, into: row)
            let colors = ColorRuns(row, count: size)
            for step in steps[..<contrast] { colors.apply(step, meanGray: 0) }
            if contrast < steps.endIndex { graySum += Double(colors.graySum) }
        }
        let meanGray = Float(graySum / Double(size * size))
        for y in 0..<size {
            let colors = ColorRuns(row(y), count: size)
            for step in steps[contrast...] { colors.apply(step, meanGray: meanGray) }
            if draw.grayscale { colors.makeGray() }
        }
        if let sigma = draw.blur { blur.begin(sigma: sigma) }
        for y in 0..<size {
            if draw.blur != nil { blur.blurRow(y, of: rows, into: row(size)) }
            let colors = ColorRuns(row(draw.blur == nil ? y : size), count: size)
            if draw.solarizes { colors.solarize() }
            interleave(colors, into: target + y * size * 3, normalization)
        }
    }

    private func row(_ y: Int) -> UnsafeMutablePointer<Float> { rows + y * 3 * size }
}

extension ViewDraw.ColorStep {
    /// Whether the step needs the mean of the whole view.
    fileprivate var needsMean: Bool {
        if case .contrast = self { true } else { false }
    }
}
