import DataParallel
import Learning
import Settings

extension ScalingPlan {
    /// Something that would make a run faster.
    package struct Advice: Sendable, Equatable {
        /// A setting, and what else it means.
        package let text: String
        /// Images a second that count: as a share of those of now, more than 0.
        package let gain: Double
    }

    /// What would help so many nodes by a hundredth or more, the most first.
    package func advice(nodes: Int) throws -> [Advice] {
        let now = try row(nodes: nodes)
        let settings = [
            halvedWire(), overlapping(now), largerShares(now), moreMicroBatches(now), wholeNodes(), sparserSaves(now),
            interleaving(),
        ]
        var advice: [Advice] = settings.compactMap { $0 }.compactMap { text, plan in
            // What does not fit is no advice.
            guard let row = try? plan.row(nodes: nodes), row.memory <= max(request.memoryPerNode, now.memory) else {
                return nil
            }
            return Advice(text: text, gain: row.rate * row.goodput.share / (now.rate * now.goodput.share) - 1)
        }
        advice.append(
            Advice(
                text: "statistics summed within hosts first, which no setting does yet",
                gain: now.step.seconds / (now.step.seconds - now.savedByHierarchy) - 1))
        return advice.filter { $0.gain >= 0.01 }.sorted { $0.gain > $1.gain }
    }

    private typealias Alternative = (text: String, plan: ScalingPlan)

    private func with(_ change: (inout ScalingPlan) -> Void) -> ScalingPlan {
        var plan = self
        change(&plan)
        return plan
    }

    private func halvedWire() -> Alternative? {
        guard configuration.parallel.wire == .float32 else { return nil }
        return ("parallel.wire=bfloat16", with { $0.configuration.parallel.wire = .bfloat16 })
    }

    /// On a core taken from those that compute, or in turns with the only one.
    private func overlapping(_ now: Row) -> Alternative? {
        guard now.settings.communication == .inline else { return nil }
        let setting = "parallel.communication=overlapped"
        guard node.threads > 1 else {
            return (
                setting + " parallel.oversubscribe=true, in turns on one core",
                with {
                    $0.configuration.parallel.communication = .overlapped
                    $0.configuration.parallel.oversubscribe = true
                }
            )
        }
        return (
            setting + ", with a thread less for computing",
            with {
                $0.configuration.parallel.communication = .overlapped
                $0.configuration.parallel.threads = .count(node.threads - 1)
                $0.node.threads -= 1
                $0.node.steps.timeline = node.steps.timeline.scaled(
                    by: Double(node.threads) / Double(node.threads - 1), withUpdate: true)
            }
        )
    }

    private func largerShares(_ now: Row) -> Alternative? {
        guard now.batch.mostImagesAtOnce < node.images else { return nil }
        return (
            "batch.perRank=\(node.images): a batch of \(node.images * now.batch.ranks), and a learning rate to match",
            with {
                $0.configuration.batch.size = .perRank(node.images)
                $0.configuration.batch.microBatch = .auto
            }
        )
    }

    private func moreMicroBatches(_ now: Row) -> Alternative? {
        let images = max(now.batch.mostImagesAtOnce, node.images), all = 2 * images * now.batch.microBatches
        return (
            "batch.perRank=\(all) batch.microBatch=\(images): gradients half as often, a batch of "
                + "\(all * now.batch.ranks)",
            with {
                $0.configuration.batch.size = .perRank(all)
                $0.configuration.batch.microBatch = .count(images)
            }
        )
    }

    /// Threads share a node better than ranks share its link, if the kernels scale over them.
    private func wholeNodes() -> Alternative? {
        let ranks = request.ranksPerNode
        guard ranks > 1 else { return nil }
        return (
            "one rank a node with \(ranks) times the threads, if computing scales over them",
            with {
                $0.request.ranksPerNode = 1
                $0.node.cores *= ranks
                $0.node.threads *= ranks
                $0.node.images *= ranks
                $0.node.fewerImages *= ranks
            }
        )
    }

    /// Where it was measured, and memory or settings keep the run from it.
    private func interleaving() -> Alternative? {
        guard configuration.parallel.passes != .interleaved, node.steps.timeline.isInterleaved else { return nil }
        return (
            "parallel.passes=interleaved, with the activations of both views",
            with { $0.configuration.parallel.passes = .interleaved }
        )
    }

    private func sparserSaves(_ now: Row) -> Alternative? {
        let best = now.goodput.bestInterval
        guard best.isFinite, best >= 1 else { return nil }
        let seconds = Int(best.rounded())
        return (
            "checkpoint.memorySeconds=\(seconds)", with { $0.configuration.checkpoint.memorySeconds = .count(seconds) }
        )
    }
}
