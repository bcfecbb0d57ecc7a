/// What chance may do to a view beside choosing a crop's area: torchvision's transforms, in its terms. The defaults are
/// the published recipes of PixPro, in which the two views differ in blur and solarisation.
public struct Augmentation: Sendable, Equatable {
    /// Most area of a crop as a share of the image.
    public var maximumCrop = 1.0
    /// Least and most width of a crop divided by its height.
    public var minimumAspect = 3.0 / 4
    public var maximumAspect = 4.0 / 3
    /// Probabilities of exchanging left and right, and top and bottom.
    public var flip = 0.5
    public var verticalFlip = 0.0
    /// Probability of changing brightness, contrast, saturation and hue, in random order.
    public var colorJitter = 0.8
    /// Strengths: factors are uniform in 1 ± strength, and not below 0.
    public var brightness = 0.4
    public var contrast = 0.4
    public var saturation = 0.2
    /// Strength: the turn is uniform in ± this share of the colour circle.
    public var hue = 0.1
    /// Probability of grey.
    public var grayscale = 0.2
    /// Least and most deviation of the blur in pixels of the view.
    public var minimumBlur = 0.1
    public var maximumBlur = 2.0
    public var view1 = View(blur: 1, solarize: 0)
    public var view2 = View(blur: 0.1, solarize: 0.2)

    /// Probabilities of what is not the same for both views.
    public struct View: Sendable, Equatable {
        public var blur: Double
        /// Of inverting values of 128 and above.
        public var solarize: Double
    }

    public init() {}
}
