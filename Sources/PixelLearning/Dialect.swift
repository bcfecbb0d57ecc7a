/// The two descriptions of PixPro that differ in detail: the published code and the paper.
package enum Dialect: String, CaseIterable, Sendable {
    /// The authors' training code.
    case official
    /// The paper's equations.
    case paper

    /// Whether the propagation module normalises its values g(x) (absent from the paper's Eq. 3).
    var normalizesValues: Bool { self == .official }

    /// Whether a pair of views without a common pixel leaves the mean over images; the code scores it 0 and counts it.
    package var skipsPairsWithoutOverlap: Bool { self == .paper }

    /// What each of the two directions of the loss is multiplied by: the code has twice the paper's Eq. 5.
    var lossFactor: Double { self == .official ? 2 : 1 }

    /// Whether a distance equal to the threshold is a positive: the code asks for less, the paper's Eq. 1 for ≤.
    package var thresholdIsInclusive: Bool { self == .paper }

    /// The projector's hidden channels: 4096 in the code, 2048 in the paper.
    package var projectorWidth: Int { self == .official ? 4096 : 2048 }

    /// One point on which the two dialects differ.
    package struct Difference: Sendable {
        package let subject: String
        package let official: String
        package let paper: String
    }

    /// Every difference between the dialects; all other constants are the same.
    package static let differences = [
        Difference(subject: "projector width (default of model.projectorWidth)", official: "4096", paper: "2048"),
        Difference(
            subject: "values of the pixel propagation", official: "g(x) divided by its length", paper: "g(x) as it is"),
        Difference(subject: "positive pair", official: "distance < threshold", paper: "distance <= threshold"),
        Difference(
            subject: "image pair without a positive", official: "counts as 0 in the mean", paper: "left out of the mean"
        ),
        Difference(
            subject: "loss", official: "-2 cos per direction, sum in [-4, 4]",
            paper: "-cos per direction, sum in [-2, 2]"),
    ]
}
