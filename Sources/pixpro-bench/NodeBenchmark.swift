import ArgumentParser
import DataParallel
import ImagePipeline
import Learning
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import SystemPackage
import TensorCore
import Training

/// What `pixpro plan --nodes` needs to know of a node and, started on several, of the network between them.
struct NodeBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measures this node, and under mpirun the network, for pixpro plan --nodes.",
        discussion: """
            pixpro-bench measure --config configs/pixpro-resnet50-100ep.yaml --batch 8 --threads 27
            mpirun --hostfile hosts -n 2 --map-by node pixpro-bench measure --config … --batch 8 --threads 27

            Every rank trains a few steps on random views without waiting for others, with the messages of a step of many ranks; \
            all at the same time, so ranks that share a node or a core slow each other down as in a run. Then ranks on \
            different hosts, and of one host, exchange messages of several sizes.
            """)

    @Option(name: .shortAndLong, help: "The configuration of the run that is planned.") var config: String?
    @Option(name: .customLong("set"), parsing: .singleValue, help: "One key over the file; may be repeated.")
    var settings: [String] = []
    @Option(help: "Image pairs on each rank.", transform: batchSize) var batch = 8
    @Option(help: "Compute threads of each rank.", transform: threadCount) var threads = 1
    @Option(help: "Steps that are timed, after two that are not.", transform: wholeNumber(in: 2...10_000)) var steps =
        12
    @Option(name: .customLong("output"), help: "The file that pixpro plan reads.") var file = "node.json"
    @OptionGroup var output: OutputOptions

    func run() throws {
        runOnAllRanks(program: "pixpro-bench") { runtime in
            runtime.watchdog.begin(.other)
            let world = runtime.world, checks = try StartChecks(runtime)
            try checks.verifyProgram()
            let configuration = try world.agree(on: "reading the configuration") {
                try RunConfiguration.load(
                    file: config.map { FilePath($0) }, overrides: settings, tasks: [PretrainingSettings.self]
                )
                .configuration
            }
            try checks.verifyConfiguration(configuration)
            try ComputeThreads.start(threads: threads)
            let elementType = try configuration.precision.elementType(on: world)
            let pretraining = try configuration.settings(PretrainingSettings.self).prepared(
                seed: configuration.run.seed, elementType: elementType)

            try world.barrier("measuring steps")
            let record = StepRecord(try record(pretraining, configuration, images: batch))
            let fewer = max(1, batch / 2)
            let less = fewer < batch ? StepRecord(try self.record(pretraining, configuration, images: fewer)) : record
            let steps = try combined(record, less, over: world), links = try NetworkBenchmark(world).links()
            let node = NodeMeasurement(
                task: PretrainingTask(pretraining).summary, configuration, precision: elementType,
                cores: try cores(world), threads: threads, images: batch, fewerImages: fewer, steps: steps, links: links
            )
            guard world.isRoot else { return }
            try node.write(to: FilePath(file))
            report(node)
        }
    }

    /// Steps as a run does them, on random views.
    private func record(
        _ settings: PretrainingSettings, _ configuration: RunConfiguration, images: Int
    ) throws -> [StepTimeline] {
        let recorder = StepRecorder()
        let group = EchoingGroup("world", onSum: recorder.message, afterSum: recorder.resume)
        let task = PretrainingTask(settings)
        let step = try TrainingStep(
            task, communicator: group, mode: .inline,
            // Passes in turn follow from interleaved ones; whether memory suffices is the plan's to say.
            interleavesPasses: configuration.parallel.passes != .inTurn)
        step.statistics.passes.observer = recorder.pass
        let guarded = NumberGuard(
            configuration.numbers, statistics: task.modules[0].state.statistics, communicator: group)
        let views = randomViews(batch: images, imageSize: settings.views.imageSize)
        let plan = BatchPlan(global: images * group.size, ranks: group.size)
        for _ in 0..<steps + 2 {
            recorder.beginStep()
            step.moveAverages(ScheduleProgress(done: 0, of: 1))
            guarded.begin()
            var figures = try step.run(
                task.phases[0], plan, learningRate: 1e-3,
                accept: {
                    recorder.beginUpdate()
                    return try guarded.accepts(
                        loss: $0.loss, gradients: step.reducers[0].buckets.map(\.gradients))
                },
                next: {
                    recorder.beginMicroBatch()
                    return views
                }
            ).figures
            StepSummary.add(times: StepTimes(), unreadable: 0, stopSignal: 0, to: &figures)
            _ = try figures.reduced(over: group)
            recorder.endStep()
        }
        return Array(recorder.steps.dropFirst(2))
    }

    /// Cores of this rank's own: ranks of a host that may use the same ones share them. Collective.
    private func cores(_ world: Communicator) throws -> Int {
        let mine = CoreMask.ofThisProcess().cores
        let names = try world.allGather(world.hostName), masks = try world.allGather(mine)
        let sharing = zip(names, masks).count { $0 == world.hostName && $1 == mine }
        return max(1, mine.count / sharing)
    }

    /// Means over ranks, and the delays of all. Collective.
    private func combined(
        _ record: StepRecord, _ fewer: StepRecord, over world: Communicator
    ) throws -> NodeMeasurement.Steps {
        func mean(_ value: Double) throws -> Double { try world.sum([value])[0] / Double(world.size) }
        var timeline = record.timeline
        for index in timeline.microBatch.indices {
            timeline.microBatch[index].seconds = try mean(timeline.microBatch[index].seconds)
        }
        for index in timeline.update.indices {
            timeline.update[index].seconds = try mean(timeline.update[index].seconds)
        }
        let delays = DelayRates(
            try world.allGather(record.delays).flatMap { $0 },
            observedSeconds: try world.sum([record.observedSeconds])[0])
        return NodeMeasurement.Steps(
            timeline: timeline, delays: delays,
            fewerImagesSeconds: try mean(fewer.timeline.microBatchSeconds),
            deviation: try mean(record.deviation))
    }

    private func report(_ node: NodeMeasurement) {
        let timeline = node.steps.timeline
        output.print(
            Figure(
                name: "node",
                settings: [
                    "task": .text(node.task), "precision": .text(node.precision), "batch": .number(node.images),
                ],
                values: [
                    "s/step": timeline.seconds(microBatches: 1), "s deviation": node.steps.deviation,
                    "s of fewer images": node.steps.fewerImagesSeconds,
                    "messages awaited": Double(timeline.awaitedBytes(microBatches: 1).count),
                    "KB of them": Double(timeline.awaitedBytes(microBatches: 1).reduce(0, +)) / 1e3,
                    "buckets": Double(timeline.gradientBytes.count),
                    "MB of them": Double(timeline.gradientBytes.reduce(0, +)) / 1e6,
                ]))
        for (name, link) in [("network", node.links.network), ("within a host", node.links.withinHost)] {
            guard let link else { continue }
            output.print(
                Figure(
                    name: name,
                    values: [
                        "us": 1e6 * link.latency, "Gbit/s": 8e-9 * link.bandwidth,
                        "us while gradients travel": 1e6 * link.loadedLatency,
                    ]))
        }
    }
}
