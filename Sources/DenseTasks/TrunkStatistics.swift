import Settings

/// How a backbone normalises in training.
package enum TrunkStatistics: String, Sendable, CaseIterable {
    /// By the statistics of the batch on all ranks.
    case trained
    /// By the statistics that it came with, as a fixed affine map that does not learn.
    case frozen
}

extension TrunkStatistics: ChoiceValue {}

extension Setting {
    /// `model.trunkStatistics`.
    static func trunkStatistics(_ keyPath: any WritableKeyPath<Root, TrunkStatistics> & Sendable) -> Setting {
        Setting(
            "model.trunkStatistics", keyPath, onResume: .mustMatch, synonyms: ["trunkNorm", "frozenBN", "normEval"],
            "Whether the backbone's normalisation follows the batches of all ranks, or stays as model.start has it.")
    }
}
