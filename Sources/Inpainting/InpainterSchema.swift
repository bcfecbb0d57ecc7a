package import Settings

extension InpaintingDialect: ChoiceValue {}
extension InpaintingLossSettings.Adversary: ChoiceValue {}

/// The keys of an inpainter's networks and losses.
extension InpainterSettings {
    package static let schema = Schema<InpainterSettings>(
        sections: [
            Section("model", "The networks that are trained."),
            Section("loss", "What generator and critics learn from."),
            Section("optimizer", "How gradients become updates: Adam with 0.5 and 0.9."),
        ], settings: model + losses)

    private static let model: [Setting<InpainterSettings>] = [
        Setting(
            "model.dialect", \.dialect, onResume: .mustMatch,
            "The published program's way or the article's, where they differ; the README lists how."),
        Setting(
            "model.channels", \.channels, in: .within(2...512), onResume: .mustMatch,
            synonyms: ["cnum", "width", "baseChannels"], "Channels of the first layers; others are multiples; even."),
        Setting(
            "model.attention", \.hasAttention, onResume: .mustMatch, synonyms: ["contextualAttention", "baseline"],
            "Whether the second stage has the branch with contextual attention."),
    ]

    private static let losses: [Setting<InpainterSettings>] = [
        Setting(
            "loss.adversarial", \.loss.adversary, onResume: .mustMatch, synonyms: ["gan", "ganType", "discriminator"],
            "What judges the results beside L1: Wasserstein critics with a gradient penalty, or nothing."),
        Setting(
            "loss.criticSteps", \.loss.criticSteps, in: .within(1...100), onResume: .mustMatch,
            synonyms: ["nCritic", "dIters", "discriminatorSteps"],
            "Updates of the critics, each on pictures of its own, for each of the generator's."),
        Setting(
            "loss.adversarialWeight", \.loss.adversarialWeight, in: .within(0...1000), onResume: .changesTraining,
            synonyms: ["ganLossAlpha", "ganWeight"], "Weight of what the critics say in the generator's loss."),
        Setting(
            "loss.penaltyWeight", \.loss.penaltyWeight, in: .within(0...10_000), onResume: .changesTraining,
            synonyms: ["wganGpLambda", "gradientPenalty", "lambdaGp"], "Weight of the penalty in the critics' loss."),
        Setting(
            "loss.holeWeight", \.loss.holeWeight, in: .within(0...1000), onResume: .changesTraining,
            synonyms: ["l1LossAlpha", "l1Weight"], "Weight of the discounted L1 in the hole."),
        Setting(
            "loss.knownWeight", \.loss.knownWeight, in: .within(0...1000), onResume: .changesTraining,
            synonyms: ["aeLossAlpha", "aeWeight"], "Weight of the L1 outside the hole."),
        Setting(
            "loss.coarseWeight", \.loss.coarseWeight, in: .within(0...1000), onResume: .changesTraining,
            synonyms: ["coarseL1Alpha"], "Weight of the coarse output in both; the final one's is 1."),
        Setting(
            "optimizer.learningRate", \.learningRate, in: .above(0, upTo: 1000), onResume: .changesTraining,
            synonyms: ["lr", "baseLearningRate"], "Learning rate of generator and critics, all along the run."),
    ]

    /// What the keys say against each other, for training squares of a side.
    package func contradictions(side: Int, place: (String) -> String) -> [ConfigurationError.Problem] {
        var problems: [ConfigurationError.Problem] = []
        if channels % 2 != 0 {
            problems.append(
                .init(
                    place("model.channels"), "model.channels \(channels) is odd, and one layer has half of them",
                    remedy: "set it to an even number"))
        }
        if dialect == .paper, side <= 64 {
            problems.append(
                .init(
                    place("model.dialect"),
                    "model.dialect paper mirrors maps of a quarter of \(side) px over 16 pixels, which they do not have",
                    remedy: "take squares of more than 64 px"))
        }
        return problems
    }
}
