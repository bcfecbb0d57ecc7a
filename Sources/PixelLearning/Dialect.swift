/// The two descriptions of PixPro that differ in detail: the published code and the paper.
public enum Dialect: String, CaseIterable, Sendable {
    /// The authors' training code.
    case official
    /// The paper's equations.
    case paper

    /// Whether the propagation module normalises its values g(x) (absent from the paper's Eq. 3).
    var normalizesValues: Bool { self == .official }

    /// Whether a pair of views without a common pixel leaves the mean over images; the code scores it 0 and counts it.
    public var skipsPairsWithoutOverlap: Bool { self == .paper }

    /// What each of the two directions of the loss is multiplied by: the code has twice the paper's Eq. 5.
    var lossFactor: Double { self == .official ? 2 : 1 }

    /// Whether a distance equal to the threshold is a positive: the code asks for less, the paper's Eq. 1 for ≤.
    var thresholdIsInclusive: Bool { self == .paper }

    /// The projector's hidden channels: 4096 in the code, 2048 in the paper.
    public var projectorWidth: Int { self == .official ? 4096 : 2048 }
}
