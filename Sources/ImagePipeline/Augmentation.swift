/// What chance may do to a view beside choosing a crop's area: torchvision's transforms, in its terms. The defaults are
/// the published recipes of PixPro, in which the two views differ in blur and solarisation.
package struct Augmentation: Sendable, Equatable {
    /// Most area of a crop as a share of the image.
    package var maximumCrop = 1.0
    /// Least and most width of a crop divided by its height.
    package var minimumAspect = 3.0 / 4
    package var maximumAspect = 4.0 / 3
    /// Probabilities of exchanging left and right, and top and bottom.
    package var flip = 0.5
    package var verticalFlip = 0.0
    /// Probability of changing brightness, contrast, saturation and hue, in random order.
    package var colorJitter = 0.8
    /// Strengths: factors are uniform in 1 ± strength, and not below 0.
    package var brightness = 0.4
    package var contrast = 0.4
    package var saturation = 0.2
    /// Strength: the turn is uniform in ± this share of the colour circle.
    package var hue = 0.1
    /// Probability of grey.
    package var grayscale = 0.2
    /// Least and most deviation of the blur in pixels of the view.
    package var minimumBlur = 0.1
    package var maximumBlur = 2.0
    package var view1 = View(blur: 1, solarize: 0)
    package var view2 = View(blur: 0.1, solarize: 0.2)

    /// Probabilities of what is not the same for both views.
    package struct View: Sendable, Equatable {
        package var blur: Double
        /// Of inverting values of 128 and above.
        package var solarize: Double
    }

    package init() {}
}
