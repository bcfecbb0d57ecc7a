import Checkpointing
import DataParallel
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
package import SystemPackage
import TensorCore

/// How a run ended, the same on all ranks.
package enum RunEnd: Sendable {
    /// The schedule is done.
    case finished
    /// A signal asked for it: the state is saved, and the same command goes on.
    case stopped
}

/// A training run from its first image to its last checkpoint, the same on every rank and for every task.
///
/// What differs by rank is confined to the reporter, which speaks on rank zero only.
package final class TrainingRun<Task: TrainingTask> {
    private let configuration: RunConfiguration
    private let runtime: MPIRuntime
    private let communicator: any Collective
    private let batch: BatchPlan
    private let threads: CorePlan.Threads
    private let pictures: Task.Pictures
    private var index: ImageIndex { pictures.index }
    private let order: SampleOrder
    private let task: Task
    private let step: TrainingStep<Task>
    private let schedule: RunSchedule
    private let checkpoints: RunCheckpoints
    private let reporter: RunReporter
    private let evaluator: any TaskEvaluator
    private let trace: StepTrace?
    /// One for each of the task's modules.
    private let guards: [NumberGuard]
    private var position: RunPosition
    /// One for each of the task's modules.
    private var counts: [ModuleCounts]
    /// The signal on which all ranks stop; 0 for none.
    private var stopSignal: Int32 = 0

    /// Prepares everything up to the first step: plans, images, networks, and the newest checkpoint. Collective.
    ///
    /// - Parameters:
    ///   - trace: a file for a Chrome trace of the first steps (see `StepTrace`).
    ///   - definition: what is trained: `loaded.configuration.definition`.
    package init(
        _ loaded: LoadedConfiguration, of definition: some TaskDefinition<Task>, runtime: MPIRuntime,
        trace: FilePath? = nil
    ) throws {
        let configuration = loaded.configuration, world = runtime.world
        self.configuration = configuration
        self.runtime = runtime
        communicator = world
        let setup = try RunSetup(configuration, runtime, find: definition.findPictures)
        (pictures, threads) = (setup.pictures, setup.threads)
        let index = pictures.index
        order = SampleOrder(seed: UInt64(configuration.run.seed), count: index.count)

        let elementType = try configuration.precision.elementType(on: world)
        task = try definition.makeTask(
            seed: configuration.run.seed, elementType: elementType, pictures: pictures)
        step = try TrainingStep(
            task, communicator: world, mode: threads.communication > 0 ? .overlapped : .inline,
            wire: configuration.parallel.wire)
        guards = task.modules.map { [task] _ in
            NumberGuard(
                configuration.numbers, statistics: task.states.flatMap(\.statistics), communicator: world)
        }
        evaluator = try task.makeEvaluator(pictures: pictures, communicator: world)
        reporter = try world.agree(on: "opening the run's files") {
            try RunReporter(setup.directory, loaded, hosts: setup.checks.hosts, isRoot: world.isRoot)
        }
        self.trace = try trace.map { try StepTrace(path: $0, communicator: world) }
        try setup.checks.clockWarnings().forEach(reporter.warn)
        if setup.host.memoryGroup != nil { reporter.note(setup.host.memorySummary) }

        checkpoints = try RunCheckpoints(
            configuration, task, pictures: PictureList(index), lock: setup.lock, reporter: reporter, runtime: runtime)
        let restored = try checkpoints.restore(task, globalBatch: setup.batch.global)
        position = restored?.position ?? RunPosition()
        counts = restored?.modules ?? task.modules.map { _ in ModuleCounts() }
        batch = try world.agree(on: "planning the batch") {
            guard let kept = restored?.microBatches else { return setup.batch }
            return try BatchPlan(configuration: configuration, ranks: world.size, microBatches: kept)
        }
        checkpoints.microBatches = batch.microBatches
        let least = batch.images(ofMicroBatch: batch.microBatches - 1).count
        guard least >= task.leastMicroBatch else {
            throw TrainingError(
                "a micro-batch of \(least) image\(least == 1 ? "" : "s") is too small for \(task.summary), which needs "
                    + "\(task.leastMicroBatch): raise batch.global or batch.microBatch")
        }
        schedule = RunSchedule(configuration, task, globalBatch: batch.global, images: index.count, from: position)
        try begin(setup, restored, elementType)
    }

    /// Says what is going to happen.
    private func begin(
        _ setup: RunSetup<Task.Pictures>, _ restored: RunCheckpoints.Restored?, _ elementType: ElementType
    ) throws {
        let parameters = task.modules.flatMap(\.parameters).reduce(0) { $0 + $1.value.count }
        let memory = configuration.memory(
            parameters: parameters, imagesAtOnce: batch.mostImagesAtOnce, elementType: elementType)
        if let warning = setup.host.memoryWarning(memory) { reporter.warn(warning) }
        let description = RunDescription(
            task: task.summary, parameters: parameters, images: index.count, elementType: elementType, batch: batch,
            peakLearningRate: schedule.peakLearningRate, communication: step.reducers[0].mode.rawValue,
            cores: setup.cores, forecasts: communicator.isRoot ? task.forecasts() : [])
        try reporter.begin(
            description, position, resumedFrom: restored?.directory.shown,
            bestScores: restored?.bestScores ?? BestScores())
        pictures.notes.forEach(reporter.note)
        reporter.leftOut(index.leftOut)
    }

    /// Trains to the end of the schedule, or until a signal asks to stop. Collective.
    package func run() throws -> RunEnd {
        StopRequest.rememberFromNow()
        let batches = BatchSource(try makeLoader(), communicator)
        defer { batches.stop() }
        TimeAccount.shared.start()
        if try isEvaluationMissing() { try finishEpoch() }
        // Kernels, files and memory warm up in the first steps.
        let warm = position.step + 3
        while !schedule.isFinished(position) && stopSignal == 0 {
            let epoch = position.epoch
            try trainStep(batches)
            try trace?.stepped()
            if position.step == warm { TimeAccount.shared.start() }
            let finishesEpoch = position.epoch > epoch
            try TimeAccount.shared.part(.checkpoints) { try checkpoints.poll() }
            if position.step.isMultiple(of: configuration.checkpoint.everySteps) { try save() }
            if finishesEpoch && stopSignal == 0 { try finishEpoch() }
        }
        try trace?.finish()
        if position.step > checkpoints.savedStep { try save() }
        if case .failed(let reason) = try TimeAccount.shared.part(.checkpoints, checkpoints.finishSave) {
            throw TrainingError("the last checkpoint was not saved: \(reason)")
        }
        try reporter.account(TimeAccount.shared, over: communicator)
        guard stopSignal == 0 else {
            reporter.stopped(position, by: StopRequest.name(stopSignal))
            return .stopped
        }
        let peakMemory = try communicator.maximum([Int64(HostLayout.peakResidentBytes)])[0]
        reporter.finish(position, namedCounts, peakMemory: Int(peakMemory))
        return .finished
    }

    private func save() throws {
        try TimeAccount.shared.part(.checkpoints) { try checkpoints.save(position, namedCounts) }
    }

    private var namedCounts: [(name: String, counts: ModuleCounts)] {
        zip(task.modules, counts).map { (name: $0.name, counts: $1) }
    }

    // MARK: One step

    private func trainStep(_ batches: BatchSource<Task.Samples>) throws {
        let clock = ContinuousClock(), start = clock.now, begun = position, title = "step \(position.step + 1)"
        runtime.watchdog.begin(.step, title)
        let before = (batches.secondsWaited, communicationSeconds + batches.secondsForOthers)
        var figures = try Trace.span(title) { try trainPhases(batches) }
        var times = StepTimes()
        times.data = batches.secondsWaited - before.0
        times.communication = communicationSeconds + batches.secondsForOthers - before.1
        times.total = (clock.now - start).inSeconds
        let failures = batches.takeFailures()
        StepSummary.add(
            times: times, unreadable: failures.count, stopSignal: StopRequest.pendingSignal, to: &figures)
        let totals = try figures.reduced(over: communicator)
        let summary = StepSummary(totals, phases: task.phases)
        stopSignal = summary.stopSignal
        if summary.unreadable > 0 { try reportUnreadable(failures) }
        reporter.stepped(
            position, summary, task.observe(totals, step: position.step),
            learningRate: schedule.learningRate(at: begun), epoch: begun.epoch, schedule: schedule,
            images: batch.global * task.phases.count)
    }

    /// The step's updates, each on a batch of its own; returns this rank's figures. Moves the position on.
    private func trainPhases(_ batches: BatchSource<Task.Samples>) throws -> Figures {
        var figures = Figures()
        step.moveAverages(schedule.progress(at: position))
        for (number, phase) in task.phases.enumerated() {
            let numbers = guards[phase.module], buckets = step.reducers[phase.module].buckets
            var isAccepted = true
            numbers.begin()
            let outcome = try step.run(
                phase, batch, learningRate: schedule.learningRate(ofModule: phase.module, at: position),
                accept: {
                    isAccepted = try numbers.accepts(loss: $0.loss, gradients: buckets.map(\.gradients))
                    return isAccepted
                },
                next: {
                    runtime.watchdog.advance()
                    return try batches.next()
                })
            counts[phase.module].samples += batch.global
            if !isAccepted {
                counts[phase.module].skippedUpdates += 1
                try reportNonFinite(outcome.losses, numbers)
            }
            figures.add(outcome.figures)
            position = position.advanced(
                by: batch.global, epochOf: order.count, finishingStep: number == task.phases.count - 1)
        }
        return figures
    }

    /// Seconds in which this rank could only wait for others.
    private var communicationSeconds: Double {
        step.reducers.reduce(step.statistics.statistics.exposedSeconds) { $0 + $1.statistics.exposedSeconds }
    }

    /// Names the batch on which loss or gradient went wrong; throws where that ends the run. Collective.
    private func reportNonFinite(_ losses: [Double], _ numbers: NumberGuard) throws {
        let pictures = (0..<batch.microBatches).map { micro in
            DataSource.samples(at: position, micro: micro, order: order, plan: batch, rank: communicator.rank)
                .map(index.description(of:))
        }
        let (message, names) = try numbers.report(step: position.step + 1, losses: losses, pictures: pictures)
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

    private func makeLoader() throws -> BatchLoader<Task.Samples> {
        try BatchLoader(
            index: index, samples: task.samples(of: pictures), threads: threads.loader, prefetch: 2,
            requests: DataSource.requests(
                from: position, order: order, plan: batch, phases: task.phases.count, rank: communicator.rank,
                end: { [schedule] in schedule.isFinished($0) }))
    }

    // MARK: Between epochs

    /// Whether the run that is resumed ended after an epoch and before its scores. Collective.
    private func isEvaluationMissing() throws -> Bool {
        guard schedule.isAfterEpoch(position), schedule.isEvaluationDue(at: position) else {
            return false
        }
        return try communicator.maximum([reporter.hasScores(of: position) ? 0 : 1])[0] > 0
    }

    private func finishEpoch() throws {
        if schedule.isEvaluationDue(at: position) {
            // Scoring may take longer than all since the last checkpoint.
            if position.step > checkpoints.savedStep { try save() }
            try evaluate()
        }
        reporter.writeReportIfOld()
    }

    /// Scores the encoder, unless a signal comes: then all ranks leave it together, and a resumed run does it anew.
    private func evaluate() throws {
        reporter.note("evaluating after epoch \(position.epoch)")
        runtime.watchdog.begin(.evaluate, "after epoch \(position.epoch)")
        do {
            let report = try TimeAccount.shared.part(.evaluation) {
                try evaluator.evaluate { [reporter, runtime] in
                    runtime.watchdog.advance()
                    reporter.evaluating($0, $1, $2)
                    if StopRequest.isPending { throw EvaluationInterruption() }
                }
            }
            reporter.evaluated(report, position)
        } catch let error as AgreedError {
            stopSignal = Int32(try communicator.maximum([Int64(StopRequest.pendingSignal)])[0])
            guard stopSignal != 0 else {
                // What was learned before is not lost to a score that cannot be had.
                _ = try checkpoints.finishSave()
                throw error
            }
            reporter.note("the evaluation is left; it is done anew when the run goes on")
        }
    }
}

/// A signal came while a run was being scored.
private struct EvaluationInterruption: Error {}
