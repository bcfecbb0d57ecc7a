import Checkpointing
import DataParallel
import Files
import ImagePipeline
package import Learning
package import MessagePassing
import NeuralNetwork
import Settings
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
    let configuration: RunConfiguration
    let runtime: MPIRuntime
    let communicator: any Collective
    let batch: BatchPlan
    private let threads: CorePlan.Threads
    private let pictures: Task.Pictures
    var index: ImageIndex { pictures.index }
    let order: SampleOrder
    let task: Task
    let step: TrainingStep<Task>
    let schedule: RunSchedule
    let checkpoints: RunCheckpoints
    let history: RunHistory
    let reporter: RunReporter
    let evaluator: any TaskEvaluator
    private let trace: StepTrace?
    let archive: StepArchive<Task>
    private var batches: BatchSource<Task.Samples>?
    /// The step after which ranks last differed.
    private var differedStep = -1
    /// One for each of the task's modules.
    let guards: [NumberGuard]
    var position: RunPosition
    /// One for each of the task's modules.
    var counts: [ModuleCounts]
    /// The signal on which all ranks stop; 0 for none.
    var stopSignal: Int32 = 0

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

        reporter = try world.agree(on: "opening the run's files") {
            try RunReporter(setup.directory, loaded, hosts: setup.checks.hosts, isRoot: world.isRoot)
        }
        history = try RunHistory(setup.directory, over: world, failures: reporter.failures)
        var preparing = [StartPart.pictures: setup.secondsForPictures]
        func timed<Value>(_ part: StartPart, _ body: () throws -> Value) rethrows -> Value {
            let start = ContinuousClock.now
            defer { preparing[part, default: 0] += (ContinuousClock.now - start).inSeconds }
            return try body()
        }
        let newest = try timed(.checkpoint) { [history, reporter] in
            try RunCheckpoints.newest(configuration, history, world, reporter)
        }
        let known = try definition.facts(
            of: pictures, checkpoint: newest?.manifest.facts.architecture, world, advance: runtime.watchdog.advance)
        known.notes.forEach(reporter.note)
        let elementType = try configuration.precision.elementType(on: world)
        task = try timed(.networks) {
            try definition.makeTask(
                seed: configuration.run.seed, elementType: elementType, facts: known.facts, isRestored: newest != nil)
        }
        guards = task.modules.map { [task] _ in
            NumberGuard(
                configuration.numbers, statistics: task.states.flatMap(\.statistics), communicator: world)
        }
        evaluator = try task.makeEvaluator(pictures: pictures, communicator: world)
        self.trace = try trace.map { try StepTrace(path: $0, communicator: world) }
        try setup.checks.clockWarnings().forEach(reporter.warn)
        if setup.host.memoryGroup != nil { reporter.note(setup.host.memorySummary) }

        checkpoints = try RunCheckpoints(
            configuration, task, setup: setup, history: history, reporter: reporter, runtime: runtime)
        let restored = try timed(.checkpoint) { [checkpoints, task] in
            try checkpoints.restore(task, from: newest, globalBatch: setup.batch.global)
        }
        position = restored?.position ?? RunPosition()
        counts = restored?.modules ?? task.modules.map { _ in ModuleCounts() }
        batch = try world.agree(on: "planning the batch") {
            guard let kept = restored?.microBatches else { return setup.batch }
            return try BatchPlan(configuration: configuration, ranks: world.size, microBatches: kept)
        }
        checkpoints.microBatches = batch.microBatches
        step = try TrainingStep(
            task, communicator: world, mode: threads.communication > 0 ? .overlapped : .inline,
            wire: configuration.parallel.wire,
            interleavesPasses: configuration.interleavesPasses(
                batch, elementType: elementType, memoryPerRank: setup.host.memoryPerRank))
        let least = batch.images(ofMicroBatch: batch.microBatches - 1).count
        guard least >= task.leastMicroBatch else {
            throw TrainingError(
                "a micro-batch of \(least) image\(least == 1 ? "" : "s") is too small for \(task.summary), which needs "
                    + "\(task.leastMicroBatch): raise batch.global or batch.microBatch")
        }
        schedule = RunSchedule(configuration, task, globalBatch: batch.global, images: index.count, from: position)
        archive = StepArchive(
            configuration, task, elementType, pictures: pictures, checkpoints: checkpoints, reporter: reporter,
            communicator: world)
        try begin(setup, restored, elementType, preparing)
    }

    /// Says what is going to happen.
    private func begin(
        _ setup: RunSetup<Task.Pictures>, _ restored: RunCheckpoints.Restored?, _ elementType: ElementType,
        _ preparing: [StartPart: Double]
    ) throws {
        let parameters = task.modules.flatMap(\.parameters).reduce(0) { $0 + $1.value.count }
        let memory = configuration.memory(
            parameters: parameters, imagesAtOnce: batch.mostImagesAtOnce, elementType: elementType,
            interleavesPasses: step.interleavesPasses)
        for warning in [setup.host.memoryWarning(memory), setup.host.bindingWarning] {
            if let warning { reporter.warn(warning) }
        }
        let machine = try MachineSummary(communicator, hosts: setup.checks.hosts)
        let passes = step.interleavesPasses ? ", passes interleaved" : ""
        let description = RunDescription(
            task: task.summary, parameters: parameters, images: index.count, elementType: elementType, batch: batch,
            peakLearningRate: schedule.peakLearningRate,
            communication: step.reducers[0].mode.rawValue + passes, machine: machine, cores: setup.cores,
            forecasts: communicator.isRoot ? task.forecasts() : [])
        try reporter.begin(
            description, position, resumedFrom: restored?.place,
            bestScores: restored?.bestScores ?? BestScores())
        pictures.notes.forEach(reporter.note)
        reporter.leftOut(index.leftOut)
        try history.begin(
            step: position.step, began: setup.began, machine: machine, preparing: preparing,
            cut: UpdateCut(
                microBatches: batch.microBatches, microBatch: configuration.batch.microBatch.count),
            compared: setup.compared, over: communicator)
        try checkpoints.wentOn(from: restored)
    }

    /// Trains to the end of the schedule, or until a signal asks to stop. Collective.
    package func run() throws -> RunEnd {
        StopRequest.rememberFromNow()
        defer { batches?.stop() }
        while true {
            do {
                try train()
                break
            } catch let error as ReplicaMismatchError {
                try goBack(after: error)
            } catch let error as any SharedError where !(error is CollectiveOrderError) {
                // Alike on all ranks: what is being saved is not lost to a score that cannot be had, or to what else ended.
                _ = try checkpoints.finishSave()
                throw error
            }
        }
        try trace?.finish()
        if case .failed(let reason) = try spending(.saving, .checkpoints, checkpoints.finishSave) {
            throw TrainingError("the last checkpoint was not saved: \(reason)")
        }
        try checkpoints.leaveMemory()
        try reporter.account(TimeAccount.shared, loadsBetweenSteps: threads.loader == 0, over: communicator)
        if communicator.size > 1 { reporter.note(longestSilence) }
        guard stopSignal == 0 else {
            leave(with: stoppedExitStatus)
            reporter.stopped(position, by: StopRequest.name(stopSignal))
            try communicator.barrier("the run's end")
            return .stopped
        }
        leave(with: 0)
        let peakMemory = try communicator.maximum([Int64(HostLayout.peakResidentBytes)])[0]
        reporter.finish(position, namedCounts, peakMemory: Int(peakMemory))
        // Others that left MPI meanwhile would take rank zero, which writes its last page, for one that hangs.
        try communicator.barrier("the run's end")
        return .finished
    }

    private var longestSilence: String {
        let limit = configuration.watchdog.silenceSeconds
        return "no rank was silent for longer than \(significant(runtime.watchdog.longestSilence)) s; "
            + (limit > 0 ? "\(significant(limit)) s would end the job (watchdog.silenceSeconds)" : "there is no limit")
    }

    private func leave(with status: Int32) {
        history.end(step: position.step, status: status)
        reporter.tellGoodput(position)
    }

    /// Trains from here to the end, and begins to save it.
    private func train() throws {
        batches?.stop()
        let batches = BatchSource(try makeLoader(), communicator)
        self.batches = batches
        TimeAccount.shared.start()
        if try isEvaluationMissing() { try finishEpoch() }
        // Kernels, files and memory warm up in the first steps.
        let warm = position.step + 3
        while !schedule.isFinished(position) && stopSignal == 0 {
            let epoch = position.epoch
            let seconds = try trainStep(batches)
            history.stepped(position.step, seconds: seconds)
            try trace?.stepped()
            if position.step == warm { TimeAccount.shared.start() }
            let finishesEpoch = position.epoch > epoch
            try spending(.saving, .checkpoints) { try checkpoints.stepped(position, namedCounts, seconds: seconds) }
            if finishesEpoch && stopSignal == 0 { try finishEpoch() }
        }
        if position.step > checkpoints.savedStep { try save() }
    }

    /// All ranks go on from the newest checkpoint, after which one of them came to differ: sums of gradients have carried
    /// that to the others. Throws where there is none, or where going back has not helped.
    private func goBack(after error: ReplicaMismatchError) throws {
        guard position.step > differedStep,
            let restored = try checkpoints.goBack(task, globalBatch: batch.global)
        else {
            // What is being saved was compared before.
            _ = try checkpoints.finishSave()
            throw error
        }
        differedStep = position.step
        (position, counts) = (restored.position, restored.modules)
        try history.begin(step: position.step, over: communicator)
        try checkpoints.wentOn(from: restored)
        reporter.wentBack(error.finding, from: differedStep, to: position, restored.place, restored.bestScores)
    }

    func save() throws {
        try spending(.saving, .checkpoints) { try checkpoints.save(position, namedCounts) }
    }

    /// Runs `body` as a part of the run, whose time counts in its account and in its history.
    func spending<Value>(_ what: Spending, _ part: StepPart, _ body: () throws -> Value) rethrows -> Value {
        let clock = ContinuousClock(), start = clock.now
        defer { history.spend((clock.now - start).inSeconds, on: what) }
        return try TimeAccount.shared.part(part, body)
    }

    var namedCounts: [(name: String, counts: ModuleCounts)] {
        zip(task.modules, counts).map { (name: $0.name, counts: $1) }
    }

    private func makeLoader() throws -> BatchLoader<Task.Samples> {
        try BatchLoader(
            index: index, samples: task.samples(of: pictures), threads: threads.loader, prefetch: 2,
            requests: DataSource.requests(
                from: position, order: order, plan: batch, phases: task.phases.count, rank: communicator.rank,
                end: { [schedule] in schedule.isFinished($0) }))
    }
}
