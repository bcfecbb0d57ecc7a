import Checkpointing
import DataParallel
import Evaluation
import Files
import ImagePipeline
import MessagePassing
import NeuralNetwork
import Optimization
import PixelLearning
import SystemPackage
import TensorCore

/// A training run from its first image to its last checkpoint, the same on every rank.
///
/// What differs by rank is confined to the reporter, which speaks on rank zero only.
public final class TrainingRun {
    private let configuration: RunConfiguration
    private let runtime: MPIRuntime
    private let communicator: Communicator
    private let batch: BatchPlan
    private let cores: CorePlan
    private let index: ImageIndex
    private let order: SampleOrder
    private let model: PixPro
    private let step: TrainingStep
    private let state: TrainingState
    private let saver: CheckpointSaver
    private let reporter: RunReporter
    private let evaluator: RunEvaluator
    private let trace: StepTrace?
    private let lock: RunLock?
    private let numbers: NumberGuard
    private var position = RunPosition()
    /// Images that could not be read since this start; on rank zero.
    private var unreadable: Set<String> = []
    /// The step that was last saved or loaded.
    private var savedStep = 0
    /// Why the latest save was not even begun.
    private var unsaved: String?
    /// The signal on which all ranks stop; 0 for none.
    private var stopSignal: Int32 = 0

    /// Prepares everything up to the first step: plans, images, model, and the newest checkpoint. Collective.
    ///
    /// - Parameter trace: a file for a Chrome trace of the first steps (see `StepTrace`).
    public init(_ loaded: LoadedConfiguration, runtime: MPIRuntime, trace: FilePath? = nil) throws {
        let configuration = loaded.configuration
        let world = runtime.world
        self.configuration = configuration
        self.runtime = runtime
        communicator = world
        let directory = RunDirectory(FilePath(text: configuration.run.directory))
        StopRequest.install()
        runtime.watchdog.configure(configuration.watchdog.limits, reports: directory.watchdog.text)
        runtime.watchdog.begin(.start)
        if configuration.parallel.checkCollectives { try world.checkOrder() }
        let checks = try StartChecks(runtime)
        try checks.verifyProgram()
        try checks.verifyConfiguration(configuration)
        let host = try HostLayout(runtime)
        batch = try world.agree(on: "planning the batch") {
            try BatchPlan(configuration: configuration, ranks: world.size, memoryPerRank: host.memoryPerRank)
        }
        cores = try world.agree(on: "planning threads") {
            try CorePlan(masks: host.masks, ranksInJob: world.size, configuration: configuration)
        }
        let threads = cores.ranks[host.rank]
        try world.agree(on: "starting threads") { try ComputeThreads.start(threads: threads.compute) }
        index = try DataSource.index(
            configuration.data.roots.map(FilePath.init(text:)), excluding: directory.path, world)
        try checks.verifyPictures(index)
        order = SampleOrder(seed: UInt64(configuration.run.seed), count: index.count)
        guard index.count >= batch.global else {
            let remedy =
                configuration.batch.global == nil
                ? "lower batch.perRank, or start fewer ranks" : "or lower batch.global"
            throw TrainingError(
                "\(index.count) images are fewer than one batch of \(batch.global) (\(world.size) ranks × "
                    + "\(batch.perRank)): add images, \(remedy)")
        }

        var settings = configuration.pixProSettings
        settings.elementType = try configuration.precision.elementType(on: world)
        model = PixPro(settings, seed: UInt64(configuration.run.seed))
        let optimizer = LARS(
            model.online.parameters, momentum: configuration.optimizer.momentum,
            weightDecay: configuration.optimizer.weightDecay,
            trustCoefficient: configuration.optimizer.name == .lars ? configuration.optimizer.trustCoefficient : nil)
        step = try TrainingStep(
            model: model, optimizer: optimizer, communicator: world,
            mode: threads.communication > 0 ? .overlapped : .inline, wire: configuration.parallel.wire)
        state = TrainingState(model: model, optimizer: optimizer)

        lock = try world.agree(on: "preparing \(directory.path.shown)") {
            guard world.isRoot else { return nil }
            try directory.create()
            return try RunLock(directory: directory.path, host: runtime.hostName)
        }
        try checks.verifySight(of: directory, lock)
        numbers = NumberGuard(
            configuration.numbers, statistics: model.online.statistics + model.momentum.statistics, communicator: world)
        saver = try CheckpointSaver(
            runDirectory: directory.path, communicator: world, keep: configuration.checkpoint.keep)
        evaluator = try RunEvaluator(configuration, index: index, communicator: world)
        reporter = try world.agree(on: "opening the run's files") {
            try RunReporter(directory, loaded, hosts: checks.hosts, isRoot: world.isRoot)
        }
        self.trace = try trace.map { try StepTrace(path: $0, communicator: world) }
        try checks.clockWarnings().forEach(reporter.warn)
        if host.memoryGroup != nil { reporter.note(host.memorySummary) }
        let memory = configuration.memory(
            parameters: parameterCount, microBatch: batch.microBatch, elementType: settings.elementType)
        if let warning = host.memoryWarning(memory) { reporter.warn(warning) }
        try resume(threads: threads, directory: directory)
    }

    /// How a run ended, the same on all ranks.
    public enum End: Sendable {
        /// The schedule is done.
        case finished
        /// A signal asked for it: the state is saved, and the same command goes on.
        case stopped
    }

    /// Trains to the end of the schedule, or until a signal asks to stop. Collective.
    public func run() throws -> End {
        let batches = BatchSource(try makeLoader(), communicator)
        defer { batches.stop() }
        if try isEvaluationMissing() { try finishEpoch() }
        while !isFinished(position) && stopSignal == 0 {
            try trainStep(batches)
            try trace?.stepped()
            let finishesEpoch = position.samplesInEpoch == 0
            if let outcome = try saver.poll() { reporter.saved(outcome) }
            if position.step.isMultiple(of: configuration.checkpoint.everySteps) { try save() }
            if finishesEpoch && stopSignal == 0 { try finishEpoch() }
        }
        try trace?.finish()
        if position.step > savedStep { try save() }
        if let outcome = try finishSave() {
            if case .failed(let reason) = outcome {
                throw TrainingError("the last checkpoint was not saved: \(reason)")
            }
        }
        guard stopSignal == 0 else {
            reporter.stopped(position, by: StopRequest.name(stopSignal))
            return .stopped
        }
        let peakMemory = try communicator.maximum([Int64(HostLayout.peakResidentBytes)])[0]
        reporter.finish(position, peakMemory: Int(peakMemory))
        return .finished
    }

    // MARK: One step

    private func trainStep(_ batches: BatchSource) throws {
        runtime.watchdog.begin(.step, "step \(position.step + 1)")
        let clock = ContinuousClock(), start = clock.now
        let before = (batches.secondsWaited, communicationSeconds + batches.secondsForOthers)
        let progress = ScheduleProgress(samples: position.samples, total: totalSamples)
        let learningRate = learningRates.rate(at: progress)
        var isAccepted = true
        numbers.begin()
        let outcome = try Trace.span("step \(position.step + 1)") {
            try step.run(
                microBatches: batch.accumulation, momentum: momenta.momentum(at: progress), learningRate: learningRate,
                accept: { [numbers, buckets = step.reducer.buckets] in
                    isAccepted = try numbers.accepts(loss: $0.loss, gradients: buckets.map(\.gradients))
                    return isAccepted
                }
            ) {
                runtime.watchdog.advance()
                return try batches.next()
            }
        }
        if !isAccepted { try reportNonFinite(outcome) }
        let epoch = position.epoch
        position = position.advanced(by: batch.global, epochOf: order.count)
        var times = StepTimes()
        times.data = batches.secondsWaited - before.0
        times.communication = communicationSeconds + batches.secondsForOthers - before.1
        times.total = (clock.now - start).inSeconds
        let failures = batches.takeFailures()
        let summary = try StepSummary(
            outcome, times: times, unreadable: failures.count, stopSignal: StopRequest.pendingSignal,
            communicator: communicator)
        stopSignal = summary.stopSignal
        if summary.unreadable > 0 { try reportUnreadable(failures) }
        reporter.stepped(
            position, summary, learningRate: learningRate, epoch: epoch, epochs: configuration.schedule.epochs,
            steps: totalSteps, images: batch.global, epochSteps: stepsPerEpoch)
    }

    /// Seconds in which this rank could only wait for others.
    private var communicationSeconds: Double {
        step.reducer.statistics.exposedSeconds + step.statistics.statistics.exposedSeconds
    }

    /// Names the batch on which loss or gradient went wrong; throws where that ends the run. Collective.
    private func reportNonFinite(_ outcome: BatchOutcome) throws {
        let pictures = (0..<batch.accumulation).map { micro in
            DataSource.samples(at: position, micro: micro, order: order, plan: batch, rank: communicator.rank)
                .map(index.description(of:))
        }
        let (message, names) = try numbers.report(step: position.step + 1, losses: outcome.losses, pictures: pictures)
        reporter.nonFinite(message, step: position.step + 1, pictures: names)
    }

    /// Gathers what ranks could not read, so that every file is named once whichever ranks met it. Collective.
    private func reportUnreadable(_ failures: [(description: String, reason: String)]) throws {
        let lines = failures.map { "\($0.description)\t\($0.reason)" }.joined(separator: "\n")
        let gathered = try communicator.gather(Array(lines.utf8))
        let named = gathered.flatMap { String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init) }
        reporter.unreadable(named)
        unreadable.formUnion(named.map { String($0.prefix { $0 != "\t" }) })
        let count = try communicator.broadcast([unreadable.count])[0]
        guard Double(count) > max(10, configuration.data.unreadableLimit * Double(index.count)) else { return }
        throw TrainingError(
            "\(count) of \(index.count) images cannot be read, more than data.unreadableLimit "
                + "(\(configuration.data.unreadableLimit)) allows: is their disk or network file system failing? They are "
                + "listed in skipped.txt of the run directory, with reasons")
    }

    private func makeLoader() throws -> ViewLoader {
        let threads = cores.ranks[0].loader
        return try ViewLoader(
            index: index, transform: configuration.viewTransform, threads: threads, prefetch: 2,
            requests: DataSource.requests(
                from: position, order: order, plan: batch, rank: communicator.rank,
                end: { [configuration, totalSteps] in
                    $0.epoch >= configuration.schedule.epochs || $0.step >= totalSteps
                }))
    }

    // MARK: Schedule

    private var stepsPerEpoch: Int { order.count / batch.global }
    private var totalSamples: Int { configuration.schedule.epochs * stepsPerEpoch * batch.global }
    private var totalSteps: Int {
        min(configuration.schedule.epochs * stepsPerEpoch, configuration.schedule.steps ?? .max)
    }
    private var learningRates: LearningRateSchedule {
        LearningRateSchedule(
            baseRate: configuration.optimizer.baseLearningRate, globalBatch: batch.global,
            warmupSamples: configuration.schedule.warmupEpochs * stepsPerEpoch * batch.global)
    }
    private var momenta: MomentumSchedule { MomentumSchedule(base: configuration.method.baseMomentum) }

    private func isFinished(_ position: RunPosition) -> Bool {
        position.epoch >= configuration.schedule.epochs || position.step >= totalSteps
    }

    // MARK: Between epochs

    private var isEvaluationDue: Bool {
        let every = configuration.evaluation.everyEpochs
        return every > 0 && (position.epoch.isMultiple(of: every) || isFinished(position))
    }

    /// Whether the run that is resumed ended after an epoch and before its scores. Collective.
    private func isEvaluationMissing() throws -> Bool {
        guard position.epoch > 0, position.samplesInEpoch == 0, isEvaluationDue else { return false }
        return try communicator.maximum([reporter.hasScores(of: position) ? 0 : 1])[0] > 0
    }

    private func finishEpoch() throws {
        if isEvaluationDue {
            // Scoring may take longer than all since the last checkpoint.
            if position.step > savedStep { try save() }
            try evaluate()
        }
        reporter.drawCurves()
    }

    /// Scores the encoder, unless a signal comes: then all ranks leave it together, and a resumed run does it anew.
    private func evaluate() throws {
        struct Interruption: Error {}
        reporter.note("evaluating after epoch \(position.epoch)")
        runtime.watchdog.begin(.evaluate, "after epoch \(position.epoch)")
        do {
            let report = try evaluator.evaluate(model.encoder) { [reporter, runtime] in
                runtime.watchdog.advance()
                reporter.evaluating($0, $1, $2)
                if StopRequest.isPending { throw Interruption() }
            }
            reporter.evaluated(report, position)
        } catch let error as AgreedError {
            stopSignal = Int32(try communicator.maximum([Int64(StopRequest.pendingSignal)])[0])
            guard stopSignal != 0 else { throw error }
            reporter.note("the evaluation is left; it is done anew when the run goes on")
        }
    }

    // MARK: Checkpoints

    /// Starts a save after waiting for an earlier one; replicas that differ are an error before anything is written.
    private func save() throws {
        _ = try finishSave()
        runtime.watchdog.begin(.save, "step \(position.step)")
        savedStep = position.step
        let isThere = try communicator.minimum([lock?.isInPlace ?? true ? 1 : 0])[0] == 1
        guard isThere else {
            let reason =
                "\(configuration.run.directory) is no longer the directory that this run began in: it was "
                + "removed, replaced or unmounted; bring it back, and the next checkpoint will be saved there"
            unsaved = reason
            return reporter.saved(.failed(reason))
        }
        try verifyReplicasAgree(state.replicas, over: communicator)
        saver.beginSave(
            state.tensors(),
            facts: CheckpointFacts(
                step: position.step, samplesSeen: position.samples, seed: UInt64(configuration.run.seed),
                configuration: configuration.yaml(), architecture: configuration.architectureFacts,
                counters: position.counters))
    }

    /// Waits for the save under way, if any, and tells of it. Collective.
    private func finishSave() throws -> SaveOutcome? {
        if let reason = unsaved {
            unsaved = nil
            return .failed(reason)
        }
        runtime.watchdog.begin(.save, "step \(savedStep)")
        let outcome = try saver.finishSave()
        if let outcome { reporter.saved(outcome) }
        return outcome
    }

    /// Numbers that are trained.
    private var parameterCount: Int { model.online.parameters.reduce(0) { $0 + $1.value.count } }

    private func resume(threads: CorePlan.Threads, directory: RunDirectory) throws {
        let reader = try CheckpointReader.openNewest(runDirectory: directory.path, communicator: communicator) {
            reporter.warn($0)
        }
        if let reader, configuration.checkpoint.resume == .never {
            throw TrainingError(
                "\(directory.path.shown) holds checkpoints (the newest is \(reader.directory.shown)), but checkpoint.resume is "
                    + "never: choose another run.directory, or set checkpoint.resume=auto to go on")
        }
        if reader == nil, configuration.checkpoint.resume == .required {
            throw TrainingError(
                "\(directory.path.shown) holds no checkpoint, but checkpoint.resume is required: bring its checkpoints "
                    + "back (is its file system mounted?), or set checkpoint.resume=auto to begin anew")
        }
        if let reader {
            try communicator.agree(on: "comparing configurations") {
                let saved = try RunConfiguration.parse(
                    yaml: reader.manifest.facts.configuration, name: reader.directory.shown)
                let changes = configuration.differences(from: saved.configuration)
                let forbidden = changes.filter { $0.rule == .mustMatch }
                guard forbidden.isEmpty else {
                    throw TrainingError(
                        "\(reader.directory.shown) was made with another configuration: "
                            + forbidden.map(\.description).joined(separator: "; ")
                            + "; set these back, or choose another run.directory")
                }
                for change in changes where change.rule == .changesTraining {
                    reporter.warn("resuming with a change, \(change)")
                }
            }
            try state.load(reader)
            position = RunPosition(reader.manifest.facts).settled(batch.global, epochOf: order.count)
            savedStep = position.step
        } else {
            try broadcastParameters(state.replicas.map(\.tensor), over: communicator)
        }
        try verifyReplicasAgree(state.replicas, over: communicator)
        try reporter.begin(
            position, resumedFrom: reader?.directory.shown, images: index.count, batch: batch, cores: cores,
            parameters: parameterCount, elementType: model.settings.elementType,
            communication: step.reducer.mode.rawValue)
        reporter.leftOut(index.leftOut)
    }
}

/// A run cannot go on; thrown alike on every rank.
public struct TrainingError: SharedError, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension RunConfiguration {
    /// The part of the configuration that shapes the model.
    var pixProSettings: PixProSettings {
        var settings = PixProSettings()
        settings.architecture = model.architecture
        settings.projectorWidth = model.projectorWidth
        settings.transformLayers = method.transformLayers
        settings.gamma = method.gamma
        settings.clamp = method.clamp
        settings.threshold = method.threshold
        settings.dialect = method.dialect
        return settings
    }

    /// What decides which tensors a checkpoint has.
    var architectureFacts: [String: String] {
        [
            "architecture": model.architecture.rawValue, "projectorWidth": "\(model.projectorWidth)",
            "transformLayers": "\(method.transformLayers)", "method": method.name.rawValue,
            "dialect": method.dialect.rawValue,
        ]
    }
}

extension RunConfiguration.Precision {
    /// What maps are stored as; `auto` takes bfloat16 where every rank's processor multiplies it fast. Collective.
    func elementType(on communicator: Communicator) throws -> ElementType {
        switch self {
        case .float32: return .float32
        case .bfloat16: return .bfloat16
        case .auto:
            let slowest = try communicator.minimum([Int64(ConvolutionEngines.multipliesBFloat16 ? 1 : 0)])[0]
            return slowest == 1 ? .bfloat16 : .float32
        }
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
