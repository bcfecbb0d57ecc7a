import Checkpointing
import DataParallel
import Files
import Learning
import MessagePassing
import Settings
import SystemPackage

/// The checkpoints of a run: from which it begins, and how its state is saved. All of it is collective.
final class RunCheckpoints {
    private let configuration: RunConfiguration
    private let state: TrainingState
    private let beginWithWeights: () throws -> [String]
    private let architectureFacts: [String: String]
    private let pictures: PictureList
    private let directory: RunDirectory
    private let lock: RunLock?
    private let saver: CheckpointSaver
    private let memory: MemoryCheckpoints?
    private var replicas: ReplicaWatch
    private let history: RunHistory
    private let reporter: RunReporter
    private let communicator: any Collective
    private let watchdog: Watchdog
    /// Into how many micro-batches an update is cut, which a run keeps.
    var microBatches = 1
    /// The step that was last saved or loaded.
    private(set) var savedStep = 0
    /// Why the latest save was not even begun.
    private var unsaved: String?

    /// - Parameters:
    ///   - setup: its lock is held until the run ends.
    init<Pictures: TrainingPictures>(
        _ configuration: RunConfiguration, _ task: some TrainingTask, setup: RunSetup<Pictures>, history: RunHistory,
        reporter: RunReporter, runtime: MPIRuntime
    ) throws {
        let pictures = PictureList(setup.pictures.index), lock = setup.lock
        (self.configuration, self.pictures) = (configuration, pictures)
        (state, architectureFacts) = (TrainingState(task), task.architectureFacts)
        beginWithWeights = task.beginWithWeights
        (self.lock, self.reporter) = (lock, reporter)
        (communicator, watchdog) = (runtime.world, runtime.watchdog)
        directory = RunDirectory(configuration.run.directory)
        saver = try CheckpointSaver(
            runDirectory: directory.path, communicator: runtime.world, keep: configuration.checkpoint.keep)
        self.history = history
        replicas = ReplicaWatch(configuration.numbers)
        let settings = configuration.checkpoint
        memory =
            try settings.memorySeconds == 0
            ? nil
            : MemoryCheckpoints(
                settings, history, host: setup.host, reporter: reporter, over: runtime.world)
    }

    // MARK: Beginning

    /// What a run that goes on takes over from its checkpoint, beside the state.
    struct Restored {
        let position: RunPosition
        /// In the task's order.
        let modules: [ModuleCounts]
        let bestScores: BestScores
        /// Where the checkpoint is, for people.
        let place: String
        /// Into how many micro-batches an update was cut; nil where `batch.microBatch` is set anew, or was not saved.
        let microBatches: Int?
    }

    /// Opens the newest sound checkpoint, where the run goes on. Collective.
    static func newest(
        _ configuration: RunConfiguration, _ history: RunHistory, _ communicator: any Collective,
        _ reporter: RunReporter
    ) throws -> CheckpointReader? {
        let directory = configuration.run.directory, settings = configuration.checkpoint
        let memory =
            settings.memorySeconds == 0
            ? nil : MemoryStore(folder: settings.memoryDirectory, identity: history.identity)
        let reader = try CheckpointReader.openNewest(
            runDirectory: directory, memory: memory, course: history.course, communicator: communicator,
            report: reporter.warn)
        if let reader, settings.resume == .never {
            throw TrainingError(
                "\(directory.shown) holds checkpoints (the newest is \(reader.place)), but checkpoint.resume is "
                    + "never: choose another run.directory, or set checkpoint.resume=auto to go on")
        }
        if reader == nil, settings.resume == .required {
            throw TrainingError(
                "\(directory.shown) holds no checkpoint, but checkpoint.resume is required: bring its checkpoints "
                    + "back (is its file system mounted?), or set checkpoint.resume=auto to begin anew")
        }
        return reader
    }

    /// Fills the state from a checkpoint, or makes all ranks begin with rank zero's; nil where it begins.
    func restore(_ task: some TrainingTask, from reader: CheckpointReader?, globalBatch: Int) throws -> Restored? {
        var restored: Restored?
        if let reader {
            restored = try take(reader, task, globalBatch)
        } else {
            let notes = try communicator.agree(on: "loading the weights to begin with") {
                communicator.isRoot ? try beginWithWeights() : []
            }
            notes.forEach(reporter.note)
            try broadcastParameters(state.replicas.map(\.tensor), over: communicator)
        }
        try verifyReplicasAgree(state.replicas, over: communicator)
        memory?.prepare(state.saved)
        return restored
    }

    /// Fills the state from the newest sound checkpoint while the run goes on; nil where there is none.
    func goBack(_ task: some TrainingTask, globalBatch: Int) throws -> Restored? {
        watchdog.begin(.start, "going back to the newest checkpoint")
        _ = try finishSave()
        let newest = try CheckpointReader.openNewest(
            runDirectory: directory.path, memory: memory?.store, course: history.course, communicator: communicator,
            report: reporter.warn)
        guard let reader = newest else { return nil }
        replicas.forget()
        return try take(reader, task, globalBatch)
    }

    /// The run's history says now that it goes on from there: other checkpoints in memory are of no use any more.
    func wentOn(from restored: Restored?) throws { try memory?.wentOn(from: restored?.position.step) }

    private func take(_ reader: CheckpointReader, _ task: some TrainingTask, _ globalBatch: Int) throws -> Restored {
        let saved = try compareConfigurations(reader), facts = reader.manifest.facts
        try communicator.agree(on: "comparing architectures") { try reader.verifyFacts(task.architectureFacts) }
        try state.load(reader)
        savedStep = reader.hosts == nil ? facts.step : 0
        return Restored(
            position: position(reader, globalBatch), modules: ModuleCounts.modules(of: task, facts),
            bestScores: BestScores(facts), place: reader.place,
            microBatches: configuration.microBatchesKept(after: saved, facts))
    }

    /// Returns that of the checkpoint.
    private func compareConfigurations(_ reader: CheckpointReader) throws -> RunConfiguration {
        try communicator.agree(on: "comparing configurations") {
            let yaml = reader.manifest.facts.configuration, task = type(of: configuration.task)
            if let name = try RunConfiguration.taskName(ofResolved: yaml), name != task.name {
                throw TrainingError(
                    "\(reader.place) was made with task \(name), which does not become \(task.name): set task "
                        + "back to \(name), or choose another run.directory")
            }
            let saved = try RunConfiguration.parse(yaml: yaml, name: reader.place, tasks: [task])
            let changes = configuration.differences(from: saved.configuration)
            let forbidden = changes.filter { $0.rule == .mustMatch }
            guard forbidden.isEmpty else {
                throw TrainingError(
                    "\(reader.place) was made with another configuration: "
                        + forbidden.map(\.description).joined(separator: "; ")
                        + "; set these back, or choose another run.directory")
            }
            for change in changes where change.rule == .changesTraining {
                reporter.warn("resuming with a change, \(change)")
            }
            return saved.configuration
        }
    }

    /// Where the run goes on, on the pictures that there are now.
    private func position(_ reader: CheckpointReader, _ globalBatch: Int) -> RunPosition {
        let facts = reader.manifest.facts, old = PictureList(facts) ?? pictures
        let position = RunPosition(facts).moved(from: old.count, to: pictures.count, globalBatch: globalBatch)
            .settled(globalBatch, epochOf: pictures.count)
        if let warning = pictures.warning(after: old, checkpoint: reader.place, at: position) {
            reporter.warn(warning)
        }
        return position
    }

    // MARK: Saving

    /// Does what is due after a step that took `seconds`: compares replicas, saves to memory, completes a save to disk and
    /// begins the next. Replicas that differ are an error before anything is written.
    func stepped(_ position: RunPosition, _ modules: [(name: String, counts: ModuleCounts)], seconds: Double) throws {
        try poll()
        memory?.add(seconds: seconds)
        replicas.add(seconds: seconds)
        if replicas.isDue(at: position.step) { try compareReplicas(position) }
        if let memory, memory.isDue {
            try compareReplicas(position)
            if try !memory.save(state.saved, facts(position, modules)) {
                // What two hosts wrote may have differed, because memory has changed since the comparison.
                replicas.forget()
                try compareReplicas(position)
            }
        }
        if position.step.isMultiple(of: configuration.checkpoint.everySteps) { try save(position, modules) }
    }

    private func compareReplicas(_ position: RunPosition) throws {
        try replicas.compare(state.replicas, at: position.step, over: communicator)
    }

    /// Starts a save to disk after waiting for an earlier one.
    func save(_ position: RunPosition, _ modules: [(name: String, counts: ModuleCounts)]) throws {
        _ = try finishSave()
        watchdog.begin(.save, "step \(position.step)")
        try compareReplicas(position)
        let trouble = directoryTrouble()
        guard try communicator.maximum([trouble == nil ? 0 : 1])[0] == 0 else {
            unsaved = trouble ?? "rank 0 tells why"
            return reporter.saved(.failed(unsaved!))
        }
        savedStep = position.step
        saver.beginSave(state.saved, facts: facts(position, modules))
    }

    /// Why nothing can be saved in the run's directory, on the rank that has its lock.
    private func directoryTrouble() -> String? {
        let shown = directory.path.shown
        do {
            guard try lock?.isInPlace == false else { return nil }
            return "\(shown) is no longer the directory that this run began in: it was removed, replaced or unmounted; "
                + "bring it back, and the next checkpoint will be saved there"
        } catch {
            return "it cannot be seen whether \(shown) is still the directory that this run began in: \(error)"
        }
    }

    /// Of the state at a position.
    func facts(
        _ position: RunPosition, _ modules: [(name: String, counts: ModuleCounts)]
    ) -> CheckpointFacts {
        let counters = [
            position.counters, pictures.counters,
            [RunConfiguration.microBatchesKey: microBatches, MemoryStore.startCounter: history.start],
        ]
        return CheckpointFacts(
            step: position.step, samplesSeen: position.samples, seed: UInt64(configuration.run.seed),
            configuration: configuration.yaml(), architecture: architectureFacts,
            counters: (counters + modules.map { $0.counts.counters($0.name) }).reduce([:]) { $0.merging($1) { $1 } },
            bestScores: reporter.bestScores.facts)
    }

    /// Saves the state as it is in a folder of its own, not as a checkpoint of the run, and waits for that.
    func keep(_ facts: CheckpointFacts, in folder: FilePath) throws -> SaveOutcome {
        watchdog.begin(.save, "step \(facts.step + 1)")
        let saver = try CheckpointSaver(runDirectory: folder, communicator: communicator, keep: 1)
        saver.beginSave(state.saved, facts: facts)
        return try saver.finishSave() ?? .failed("nothing was saved")
    }

    /// Commits the save under way once all ranks have written their shards, and tells of it.
    private func poll() throws {
        if let outcome = try saver.poll() { reporter.saved(outcome) }
    }

    /// Waits for the save under way, if any, and tells of it.
    func finishSave() throws -> SaveOutcome? {
        if let reason = unsaved {
            unsaved = nil
            return .failed(reason)
        }
        watchdog.begin(.save, "step \(savedStep)")
        let outcome = try saver.finishSave()
        if let outcome { reporter.saved(outcome) }
        return outcome
    }

    /// The run leaves with its state on disk: what it has in memory is of no use any more.
    func leaveMemory() throws { try memory?.remove() }
}

extension CheckpointReader {
    /// Throws where the checkpoint's networks have the same shapes and mean something else, as other classes do. Facts that
    /// one of them does not have tell nothing: older programs wrote fewer.
    func verifyFacts(_ own: [String: String], remedy: String = "set it back, or choose another run.directory") throws {
        let saved = manifest.facts.architecture
        let other = own.keys.sorted().filter { saved[$0] != nil && saved[$0] != own[$0] }
        guard other.isEmpty else {
            throw TrainingError(
                "\(place) was made with "
                    + other.map { "\($0) \(saved[$0]!), now it is \(own[$0]!)" }.joined(separator: "; ")
                    + "; \(remedy)")
        }
    }
}
