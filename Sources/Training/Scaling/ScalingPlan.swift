package import DataParallel
import Learning
import Settings
import TensorCore

/// What a run is expected to do on numbers of nodes that nobody has here, from what one node measured.
package struct ScalingPlan {
    package struct Request: Sendable {
        package var ranksPerNode = 1
        package var network: NetworkLink
        package var failuresPerNodeYear = 1.0
        package var restartSeconds = 60.0
        /// Bytes that the ranks of a node may use together.
        package var memoryPerNode: Int
        var memoryPerRank: Int { memoryPerNode / ranksPerNode }

        package init(
            ranksPerNode: Int = 1, network: NetworkLink, failuresPerNodeYear: Double = 1,
            restartSeconds: Double = 60, memoryPerNode: Int = PhysicalMemory.byteCount
        ) {
            (self.ranksPerNode, self.network) = (ranksPerNode, network)
            (self.failuresPerNodeYear, self.restartSeconds) = (failuresPerNodeYear, restartSeconds)
            self.memoryPerNode = memoryPerNode
        }
    }

    /// What keeps a row from the speed of as many single nodes.
    package enum Limit: String, Sendable, CaseIterable {
        case shares = "few images a rank"
        case statistics = "messages of statistics"
        case stragglers
        case gradients
        case failures
    }

    /// What is expected of a number of nodes.
    package struct Row: Sendable {
        package let batch: BatchPlan
        package let settings: StepSettings
        package let step: StepPrediction
        /// Images a second, without failures.
        package let rate: Double
        /// Of what as many ranks that need nobody would do.
        package let efficiency: Double
        /// Bytes of a node's memory.
        package let memory: Int
        /// Bytes that a node sends in a step.
        package let sent: Double
        package let goodput: GoodputPrediction
        /// Shares of the time that were lost, by what to; of all time, failures' among it.
        package let losses: [Limit: Double]
        /// Seconds that summing within hosts first would save.
        package let savedByHierarchy: Double

        /// The largest loss; nil where none takes a hundredth.
        package var limit: Limit? {
            losses.max { $0.value < $1.value }.flatMap { $0.value >= 0.01 ? $0.key : nil }
        }
    }

    package var configuration: RunConfiguration
    package var node: NodeMeasurement
    package var request: Request

    package init(_ configuration: RunConfiguration, _ node: NodeMeasurement, _ request: Request) {
        (self.configuration, self.node, self.request) = (configuration, node, request)
    }

    /// - Throws: `ConfigurationError` where the batch or the threads do not fit.
    package func row(nodes: Int) throws -> Row {
        let ranks = nodes * request.ranksPerNode
        let batch = try BatchPlan(
            configuration: configuration, ranks: ranks, memoryPerRank: request.memoryPerRank)
        return try row(nodes: nodes, batch: batch)
    }

    private func row(nodes: Int, batch: BatchPlan) throws -> Row {
        let hosts = hosts(nodes), settings = try settings(batch, ranks: hosts.ranks)
        // The mean over micro-batches of what rank zero has, which has most.
        let images = (0..<batch.microBatches).reduce(0) { $0 + batch.images(ofMicroBatch: $1, rank: 0).count }
        let measured = node.timeline(images: (images + batch.microBatches - 1) / batch.microBatches)
        let interleavesPasses = configuration.interleavesPasses(
            batch, elementType: node.elementType, memoryPerRank: request.memoryPerRank)
        let timeline = interleavesPasses ? measured : measured.inTurn
        let step = StepPrediction(timeline, settings, over: hosts, delays: node.steps.delays)
        let alone =
            (1 + node.steps.delays.share) * node.steps.timeline.seconds(microBatches: batch.microBatches)
            / Double(batch.microBatches * node.images)
        let ideal = alone * Double(batch.global) / Double(hosts.ranks)
        let memory = configuration.memory(
            parameters: configuration.task.parameterCount, imagesAtOnce: batch.mostImagesAtOnce,
            elementType: node.elementType, interleavesPasses: interleavesPasses)
        let goodput = goodput(step: step.seconds, nodes: nodes)
        let lost: [Limit: Double] = [
            .shares: step.computing - ideal, .statistics: step.awaited, .stragglers: step.stragglers,
            .gradients: step.gradients,
        ]
        var losses = lost.mapValues { $0 / step.seconds * goodput.share }
        losses[.failures] = 1 - goodput.share
        return Row(
            batch: batch, settings: settings, step: step, rate: Double(batch.global) / step.seconds,
            efficiency: ideal / step.seconds, memory: memory * request.ranksPerNode,
            sent: sent(timeline, settings, hosts), goodput: goodput, losses: losses,
            savedByHierarchy: savedByHierarchy(timeline, settings, hosts))
    }

    private func hosts(_ nodes: Int) -> HostNetwork {
        HostNetwork(
            hosts: nodes, ranksPerHost: request.ranksPerNode, network: request.network,
            withinHost: node.links.withinHost ?? HostNetwork.usualWithinHost,
            sumBytesPerSecond: node.links.sumBytesPerSecond)
    }

    /// The threads of the ranks of a node.
    func corePlan(ranks: Int) throws -> CorePlan {
        let mask = CoreMask(cores: Array(0..<node.cores * request.ranksPerNode))
        return try CorePlan(
            masks: Array(repeating: mask, count: request.ranksPerNode), ranksInJob: ranks, configuration: configuration)
    }

    /// Gradients travel as the core plan has it.
    private func settings(_ batch: BatchPlan, ranks: Int) throws -> StepSettings {
        let cores = try corePlan(ranks: ranks)
        return StepSettings(
            microBatches: batch.microBatches, communication: cores.ranks[0].communication > 0 ? .overlapped : .inline,
            wire: configuration.parallel.wire, hasCommunicationCore: !cores.isOversubscribed)
    }

    /// Bytes that leave a host: sums as the fewest bytes allow, statistics in whole to a partner each round.
    private func sent(_ timeline: StepTimeline, _ settings: StepSettings, _ hosts: HostNetwork) -> Double {
        guard hosts.hosts > 1 else { return 0 }
        let moved = 2 * Double(hosts.hosts - 1) / Double(hosts.hosts)
        let gradients = Double(timeline.gradientBytes.reduce(0, +)) / (settings.wire == .bfloat16 ? 2 : 1)
        let awaited = Double(timeline.awaitedBytes(microBatches: settings.microBatches).reduce(0, +))
        let rounds = Double(Int.bitWidth - (hosts.hosts - 1).leadingZeroBitCount)
        return moved * gradients + rounds * awaited * Double(hosts.ranksPerHost)
    }

    private func savedByHierarchy(_ timeline: StepTimeline, _ settings: StepSettings, _ hosts: HostNetwork) -> Double {
        guard hosts.ranksPerHost > 1, hosts.hosts > 1 else { return 0 }
        return timeline.awaitedBytes(microBatches: settings.microBatches).reduce(0) { saved, bytes in
            let flat = AllReduce.fastestFlat(bytes: Double(bytes), over: hosts)
            return saved + max(0, flat - AllReduce.hierarchical.seconds(bytes: Double(bytes), over: hosts))
        }
    }

    /// Checkpoints in memory where two hosts can have them, else those on disk.
    private func goodput(step: Double, nodes: Int) -> GoodputPrediction {
        let settings = configuration.checkpoint
        // Weights, velocities and averages, of which each host writes its part, and that of another into memory.
        let part = 12 * Double(configuration.task.parameterCount) / Double(nodes)
        let copying = part / 1e9
        var interval = Double(settings.everySteps) * step, cost = copying
        // A host that dies with its connections open is only silent.
        let silence = configuration.watchdog.silenceSeconds
        let inMemory = settings.memorySeconds
        if nodes > 1, inMemory.count != 0 {
            cost = 2 * copying
            interval = max(step, inMemory.count.map(Double.init) ?? cost / MemoryCheckpoints.share)
        }
        return GoodputPrediction(
            .init(
                failuresPerNodeYear: request.failuresPerNodeYear,
                detection: silence > 0 ? silence : configuration.watchdog.stepSeconds,
                restart: request.restartSeconds, checkpoint: cost, interval: interval), nodes: nodes)
    }
}
