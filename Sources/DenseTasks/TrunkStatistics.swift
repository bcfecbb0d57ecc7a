import Settings

/// How a backbone normalises in training.
package enum TrunkStatistics: String, Sendable, CaseIterable {
    /// By the statistics of the batch on all ranks.
    case trained
    /// By the statistics that it came with, as a fixed affine map that does not learn.
    case frozen
}

extension TrunkStatistics: ChoiceValue {}
