import NeuralNetwork

/// Whose FCOS: the published program's, or torchvision's, which differs from it in many small things.
package enum DetectionConvention: String, Sendable, CaseIterable {
    case fcos, torchvision

    /// Whether a point stands in the middle of its cell, which is as wide as the level's stride; else on its corner, cells
    /// being as wide as the padded image divided by their number, rounded down.
    var pointsAreCentred: Bool { self == .fcos }

    /// Whether a box whose reach is exactly an end of a level's range is the level's.
    var rangesAreClosed: Bool { self == .fcos }

    /// Whether each level has a factor of its own for distances.
    var scalesLevels: Bool { self == .fcos }

    /// Whether boxes are compared in pixels; else in strides of their level.
    var comparesPixels: Bool { self == .torchvision }

    var giou: GIoUConvention { self == .fcos ? .fcos : .torchvision }

    /// Whether a box counts in the loss by the centerness of its point; else all count alike.
    var weighsByCenterness: Bool { self == .fcos }

    /// Whether a detection's score must be above the threshold; else the probability of its class alone.
    var thresholdsScore: Bool { self == .torchvision }

    /// What scores, or probabilities of classes, must be above.
    package var threshold: Double { self == .fcos ? 0.05 : 0.2 }

    /// Whether boxes of which clipping left nothing may be detections.
    var keepsEmptyBoxes: Bool { self == .torchvision }

    /// What is least for the box that a point is given, of all that it could have: the area, or torchvision's key of single
    /// precision, for which areas are equal that are closer than about 8 square pixels.
    func rank(area: Double) -> Double { self == .fcos ? area : Double(-Float(1e8 - area)) }
}
