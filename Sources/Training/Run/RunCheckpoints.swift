import Checkpointing
import DataParallel
import MessagePassing
import SystemPackage

/// The checkpoints of a run: from which it begins, and how its state is saved. All of it is collective.
final class RunCheckpoints {
    private let configuration: RunConfiguration
    private let state: TrainingState
    private let pictures: PictureList
    private let directory: RunDirectory
    private let lock: RunLock?
    private let saver: CheckpointSaver
    private let reporter: RunReporter
    private let communicator: any Collective
    private let watchdog: Watchdog
    /// The step that was last saved or loaded.
    private(set) var savedStep = 0
    /// Why the latest save was not even begun.
    private var unsaved: String?

    /// `lock` is what rank zero holds.
    init(
        _ configuration: RunConfiguration, state: TrainingState, pictures: PictureList, lock: RunLock?,
        reporter: RunReporter, runtime: MPIRuntime
    ) throws {
        (self.configuration, self.state, self.pictures) = (configuration, state, pictures)
        (self.lock, self.reporter) = (lock, reporter)
        (communicator, watchdog) = (runtime.world, runtime.watchdog)
        directory = RunDirectory(FilePath(text: configuration.run.directory))
        saver = try CheckpointSaver(
            runDirectory: directory.path, communicator: runtime.world, keep: configuration.checkpoint.keep)
    }

    // MARK: Beginning

    /// Fills the state from the newest sound checkpoint, or makes all ranks begin with rank zero's. Returns where the run
    /// goes on and from which directory; nil where it begins.
    func restore(globalBatch: Int) throws -> (position: RunPosition, directory: FilePath)? {
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
        var position: RunPosition?
        if let reader {
            try compareConfigurations(reader)
            try state.load(reader)
            position = self.position(reader, globalBatch)
            savedStep = reader.manifest.facts.step
        } else {
            try broadcastParameters(state.replicas.map(\.tensor), over: communicator)
        }
        try verifyReplicasAgree(state.replicas, over: communicator)
        return position.map { ($0, reader!.directory) }
    }

    private func compareConfigurations(_ reader: CheckpointReader) throws {
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
    }

    /// Where the run goes on, on the pictures that there are now.
    private func position(_ reader: CheckpointReader, _ globalBatch: Int) -> RunPosition {
        let facts = reader.manifest.facts, old = PictureList(facts) ?? pictures
        let position = RunPosition(facts).moved(from: old.count, to: pictures.count, globalBatch: globalBatch)
            .settled(globalBatch, epochOf: pictures.count)
        if let warning = pictures.warning(after: old, checkpoint: reader.directory.shown, at: position) {
            reporter.warn(warning)
        }
        return position
    }

    // MARK: Saving

    /// Starts a save after waiting for an earlier one; replicas that differ are an error before anything is written.
    func save(_ position: RunPosition) throws {
        _ = try finishSave()
        watchdog.begin(.save, "step \(position.step)")
        savedStep = position.step
        let isThere = try communicator.minimum([lock?.isInPlace ?? true ? 1 : 0])[0] == 1
        guard isThere else {
            let reason =
                "\(directory.path.shown) is no longer the directory that this run began in: it was "
                + "removed, replaced or unmounted; bring it back, and the next checkpoint will be saved there"
            unsaved = reason
            return reporter.saved(.failed(reason))
        }
        try verifyReplicasAgree(state.replicas, over: communicator)
        saver.beginSave(
            state.saved,
            facts: CheckpointFacts(
                step: position.step, samplesSeen: position.samples, seed: UInt64(configuration.run.seed),
                configuration: configuration.yaml(), architecture: configuration.architectureFacts,
                counters: position.counters.merging(pictures.counters) { $1 }))
    }

    /// Commits the save under way once all ranks have written their shards, and tells of it.
    func poll() throws {
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
}
