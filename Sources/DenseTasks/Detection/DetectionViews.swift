package import ImagePipeline

/// How a picture becomes an image to learn from.
package struct DetectionViews: Sendable, Equatable {
    /// Least and most of the short side in pixels, and most of the long one.
    package var minimumSize = 800
    package var maximumSize = 800
    package var longestSide = 1333
    /// Probability of exchanging left and right.
    package var flip = 0.5
    /// Probability of a crop, and the least share of a side that it keeps.
    package var crop = 0.0
    package var minimumCrop = 0.5

    package init() {}
}

extension DetectionViews {
    /// The size at which a region is seen: its short side as long as asked, unless the long one would be too long.
    package func size(of region: PixelRegion, shortSide: Int) -> (height: Int, width: Int) {
        let short = Double(min(region.width, region.height)), long = Double(max(region.width, region.height))
        let limited = long / short * Double(shortSide) > Double(longestSide)
        let target = limited ? max((Double(longestSide) * short / long).rounded(), 1) : Double(shortSide)
        // Rounded down, as in the published program.
        let other = min(max(Int(target * long / short), 1), longestSide)
        return region.width < region.height ? (other, Int(target)) : (Int(target), other)
    }
}
