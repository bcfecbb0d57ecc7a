package import TensorCore

/// What shapes an inpainter's networks, and what they learn from.
package struct InpainterSettings: Sendable, Equatable {
    package var dialect = InpaintingDialect.published
    /// Channels of the first layers; others are multiples.
    package var channels = 32
    /// Whether the second stage has the branch that borrows from what is known.
    package var hasAttention = true
    package var loss = InpaintingLossSettings()
    /// Of generator and critics, all along the run.
    package var learningRate = 1e-4
    /// What maps are stored as in training.
    package var elementType = ElementType.float32

    package init() {}
}

/// The weights of the losses, as published.
package struct InpaintingLossSettings: Sendable, Equatable {
    package enum Adversary: String, Sendable, CaseIterable {
        /// Wasserstein critics whose slopes are held at 1 (WGAN-GP, Gulrajani et al. 2017), within the hole.
        case wassersteinPenalty
        case none
    }

    package var adversary = Adversary.wassersteinPenalty
    /// Updates of the critics for each of the generator's.
    package var criticSteps = 5
    /// Of what the critics say, in the generator's loss.
    package var adversarialWeight = 0.001
    /// Of the penalty, in the critics' loss.
    package var penaltyWeight = 10.0
    /// Of the discounted L1 in the hole.
    package var holeWeight = 1.2
    /// Of the L1 outside it.
    package var knownWeight = 1.2
    /// Of the coarse output in both; the second one's is 1.
    package var coarseWeight = 1.2

    package init() {}

    package var hasCritics: Bool { adversary == .wassersteinPenalty }
}
