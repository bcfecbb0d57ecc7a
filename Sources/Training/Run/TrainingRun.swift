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
    private let communicator: any Collective
    private let batch: BatchPlan
    private let threads: CorePlan.Threads
    private let index: ImageIndex
    private let order: SampleOrder
    private let model: PixPro
    private let step: TrainingStep
    private let schedule: RunSchedule
    private let checkpoints: RunCheckpoints
    private let reporter: RunReporter
    private let evaluator: RunEvaluator
    private let trace: StepTrace?
    private let numbers: NumberGuard
    private var position: RunPosition
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
        runtime.watchdog.configure(configuration.watchdog.limits, reports: directory.watchdog)
        runtime.watchdog.begin(.start)
        if configuration.parallel.checkCollectives { try world.checkOrder() }
        let checks = try StartChecks(runtime)
        try checks.verifyProgram()
        try checks.verifyConfiguration(configuration)
        let host = try HostLayout(runtime)
        batch = try world.agree(on: "planning the batch") {
            try BatchPlan(configuration: configuration, ranks: world.size, memoryPerRank: host.memoryPerRank)
        }
        let cores = try world.agree(on: "planning threads") {
            try CorePlan(masks: host.masks, ranksInJob: world.size, configuration: configuration)
        }
        threads = cores.ranks[host.rank]
        try world.agree(on: "starting threads") { [threads] in try ComputeThreads.start(threads: threads.compute) }
        index = try DataSource.index(
            configuration.data.roots.map(FilePath.init(text:)), excluding: directory.path, runtime)
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

        let lock: RunLock? = try world.agree(on: "preparing \(directory.path.shown)") {
            guard world.isRoot else { return nil }
            try directory.create()
            return try RunLock(directory: directory.path, host: runtime.hostName)
        }
        try checks.verifySight(of: directory, lock)
        numbers = NumberGuard(
            configuration.numbers, statistics: model.online.statistics + model.momentum.statistics, communicator: world)
        evaluator = try RunEvaluator(configuration, index: index, communicator: world)
        reporter = try world.agree(on: "opening the run's files") {
            try RunReporter(directory, loaded, hosts: checks.hosts, isRoot: world.isRoot)
        }
        self.trace = try trace.map { try StepTrace(path: $0, communicator: world) }
        try checks.clockWarnings().forEach(reporter.warn)
        if host.memoryGroup != nil { reporter.note(host.memorySummary) }
        let parameters = model.online.parameters.reduce(0) { $0 + $1.value.count }
        let memory = configuration.memory(
            parameters: parameters, microBatch: batch.microBatch, elementType: settings.elementType)
        if let warning = host.memoryWarning(memory) { reporter.warn(warning) }
        checkpoints = try RunCheckpoints(
            configuration, state: TrainingState(model: model, optimizer: optimizer), pictures: PictureList(index),
            lock: lock, reporter: reporter, runtime: runtime)
        let restored = try checkpoints.restore(globalBatch: batch.global)
        position = restored?.position ?? RunPosition()
        schedule = RunSchedule(configuration, globalBatch: batch.global, images: index.count, from: position)
        try reporter.begin(
            position, resumedFrom: restored?.directory.shown, images: index.count, batch: batch, cores: cores,
            parameters: parameters, elementType: model.settings.elementType,
            communication: step.reducer.mode.rawValue)
        reporter.leftOut(index.leftOut)
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
        StopRequest.rememberFromNow()
        let batches = BatchSource(try makeLoader(), communicator)
        defer { batches.stop() }
        if try isEvaluationMissing() { try finishEpoch() }
        while !schedule.isFinished(position) && stopSignal == 0 {
            try trainStep(batches)
            try trace?.stepped()
            let finishesEpoch = position.samplesInEpoch == 0
            try checkpoints.poll()
            if position.step.isMultiple(of: configuration.checkpoint.everySteps) { try checkpoints.save(position) }
            if finishesEpoch && stopSignal == 0 { try finishEpoch() }
        }
        try trace?.finish()
        if position.step > checkpoints.savedStep { try checkpoints.save(position) }
        if case .failed(let reason) = try checkpoints.finishSave() {
            throw TrainingError("the last checkpoint was not saved: \(reason)")
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
        let learningRate = schedule.learningRate(at: position)
        var isAccepted = true
        numbers.begin()
        let outcome = try Trace.span("step \(position.step + 1)") {
            try step.run(
                microBatches: batch.accumulation, momentum: schedule.momentum(at: position), learningRate: learningRate,
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
        let figures = StepSummary.figures(
            outcome, times: times, unreadable: failures.count, stopSignal: StopRequest.pendingSignal)
        let summary = StepSummary(try figures.reduced(over: communicator))
        stopSignal = summary.stopSignal
        if summary.unreadable > 0 { try reportUnreadable(failures) }
        reporter.stepped(
            position, summary, learningRate: learningRate, epoch: epoch, epochs: schedule.epochs,
            steps: schedule.totalSteps, images: batch.global, epochSteps: schedule.stepsPerEpoch)
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
        let count = try communicator.broadcast([reporter.unreadable(named)])[0]
        guard Double(count) > max(10, configuration.data.unreadableLimit * Double(index.count)) else { return }
        throw TrainingError(
            "\(count) of \(index.count) images cannot be read, more than data.unreadableLimit "
                + "(\(configuration.data.unreadableLimit)) allows: is their disk or network file system failing? They are "
                + "listed in skipped.txt of the run directory, with reasons")
    }

    private func makeLoader() throws -> ViewLoader {
        try ViewLoader(
            index: index, transform: configuration.viewTransform, threads: threads.loader, prefetch: 2,
            requests: DataSource.requests(
                from: position, order: order, plan: batch, rank: communicator.rank,
                end: { [schedule] in schedule.isFinished($0) }))
    }

    // MARK: Between epochs

    /// Whether the run that is resumed ended after an epoch and before its scores. Collective.
    private func isEvaluationMissing() throws -> Bool {
        guard position.epoch > 0, position.samplesInEpoch == 0, schedule.isEvaluationDue(at: position) else {
            return false
        }
        return try communicator.maximum([reporter.hasScores(of: position) ? 0 : 1])[0] > 0
    }

    private func finishEpoch() throws {
        if schedule.isEvaluationDue(at: position) {
            // Scoring may take longer than all since the last checkpoint.
            if position.step > checkpoints.savedStep { try checkpoints.save(position) }
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
}
