package import Files
import Glibc
package import MessagePassing
package import SystemPackage
package import Threads

/// How a save ended, the same on every rank.
package enum SaveOutcome: Sendable {
    /// The checkpoint exists. `seconds` are those of the slowest rank's copying and writing and of the commit, without what
    /// training or an evaluation did meanwhile; `warnings` (on rank zero) tell of old checkpoints that could not be removed
    /// and the like.
    case committed(directory: FilePath, byteCount: Int, seconds: Double, warnings: [String])
    /// Nothing was saved; earlier checkpoints are untouched. The text names the ranks, files and causes.
    case failed(String)
}

/// Saves checkpoints while training goes on.
///
/// `beginSave` copies this rank's share of the tensors and returns; a thread writes it. At every later step boundary
/// `poll` asks, by one small collective, whether all ranks are done. Once every rank has written and synchronized its
/// shard in `step-….partial`, a thread of rank zero commits: checks sizes, writes the manifest, synchronizes it, renames
/// the directory, and removes old checkpoints; a later `poll` tells all. `finishSave` waits for that. However slow the
/// disk, no rank waits for it elsewhere. All of these are collective.
package final class CheckpointSaver {
    package let runDirectory: FilePath
    private let parent: FilePath
    private let communicator: any Collective
    private let keep: Int
    private let sound = SoundCheckpoints()
    private let visibilityLimit: Double
    private let files: any FileOperations
    private let clock: any TimeSource
    private let observer: SaveObserver
    private var current: Save?

    /// A save that is being written or committed.
    private struct Save {
        let facts: CheckpointFacts
        let tensors: [CheckpointManifest.StoredTensor]
        let job: BackgroundJob<ShardSummary>
        /// Once all shards are written: rank zero's commit. On other ranks there is nothing to do.
        var commit: BackgroundJob<CheckpointCommit.Summary>?
        var isCommitting = false

        /// Returns when this rank's work is done, of the two steps the one under way.
        func wait() { if isCommitting { commit?.wait() } else { job.wait() } }

        /// What came of it: whether it is done, and why it failed.
        var progress: (isDone: Bool, failure: String?) {
            isCommitting ? commit.map { Self.progress($0.result) } ?? (true, nil) : Self.progress(job.result)
        }

        private static func progress<Value>(_ result: Result<Value, any Error>?) -> (isDone: Bool, failure: String?) {
            guard case .failure(let error) = result else { return (result != nil, nil) }
            return (true, "\(error)")
        }
    }

    private struct ShardSummary: Sendable {
        let file: ShardFile.Summary
        /// From `beginSave` to the end of writing.
        let seconds: Double
    }

    /// Creates the directory for checkpoints and removes what an earlier attempt left unfinished. Collective.
    ///
    /// - Parameters:
    ///   - keep: how many checkpoints remain after each commit, at least one.
    ///   - visibilityLimit: seconds that rank zero waits for shards of other hosts to appear on a network file system.
    ///   - observer: is told of every point of every save, for tests.
    package init(
        runDirectory: FilePath, communicator: any Collective, keep: Int, visibilityLimit: Double = 60,
        files: any FileOperations = SystemFiles(), clock: any TimeSource = SystemClock(),
        observer: @escaping SaveObserver = { _, _ in }
    ) throws {
        precondition(keep >= 1, "keep \(keep) checkpoints: at least one must remain")
        self.runDirectory = runDirectory
        self.communicator = try communicator.duplicated(name: "checkpoints")
        self.keep = keep
        self.visibilityLimit = visibilityLimit
        (self.files, self.clock) = (files, clock)
        self.observer = observer
        let parent = CheckpointCatalog.checkpointsDirectory(runDirectory)
        self.parent = parent
        // A limit on file sizes shall make writes fail, not end the process.
        signal(SIGXFSZ, SIG_IGN)
        try communicator.agree(on: "preparing \(parent.shown)") {
            guard communicator.isRoot else { return }
            // Or a loss of power might take the directory, with all checkpoints that are safe in it.
            try files.makeLastingDirectories(parent)
            for name in try files.names(in: parent) where CheckpointCatalog.isUnfinished(name) {
                try files.removeTree(parent.appending(name))
            }
        }
    }

    /// Whether a save is under way, the same on every rank.
    package var isSaving: Bool { current != nil }

    private var rank: Int { communicator.rank }

    private func finalDirectory(_ step: Int) -> FilePath { parent.appending(CheckpointCatalog.name(ofStep: step)) }

    private func partialDirectory(_ step: Int) -> FilePath { CheckpointCommit.partialDirectory(finalDirectory(step)) }

    /// Copies this rank's share of `tensors`, which all ranks hold alike, and starts writing it. No save may be under
    /// way. Does not communicate; the copies take 1/N of the tensors' memory until the share is written.
    package func beginSave(_ tensors: [SavedTensor], facts: CheckpointFacts) {
        precondition(current == nil, "a save is under way; call finishSave first")
        let start = clock.monotonic
        observer(.begun, rank)
        let owners = ShardPlan(tensors, ranks: communicator.size).owners
        let mine = tensors.indices.filter { owners[$0] == rank }.map { tensors[$0].copy() }
        observer(.copied, rank)
        let directory = partialDirectory(facts.step), ranks = communicator.size
        current = Save(
            facts: facts,
            tensors: zip(tensors, owners).map {
                .init(name: $0.name, elementType: $0.elementType, shape: $0.shape, shard: $1)
            },
            job: BackgroundJob("save") { [observer, rank, files, clock] in
                do {
                    // Makes no MPI calls.
                    let file = try ShardFile.write(
                        mine, step: facts.step, rank: rank, of: ranks, into: directory, files: files
                    ) { observer($0, rank) }
                    return ShardSummary(file: file, seconds: clock.monotonic - start)
                } catch let error as FileError where [ENOSPC, EDQUOT, EFBIG].contains(error.code) {
                    throw error.advising("or keep fewer checkpoints (checkpoint.keep)")
                }
            })
    }

    /// Moves the save under way on if all ranks are done with their part of it, and returns its outcome at the end; nil
    /// while anyone still works, or when there is no save. Only MPI's failures are thrown: a save that fails is an
    /// outcome, and training may go on.
    package func poll() throws -> SaveOutcome? {
        guard let save = current else { return nil }
        let (isDone, failure) = save.progress
        let state: Int64 = !isDone ? 0 : failure == nil ? 1 : 2
        let extremes = try communicator.minimum([state, -state])
        guard extremes[0] > 0 else { return nil }
        do {
            if extremes[1] == -2 {
                let work = save.isCommitting ? "committing" : "saving"
                try communicator.agree(on: "\(work) step \(save.facts.step)", failure: failure)
            }
            guard save.isCommitting else {
                try beginCommit(save)
                return nil
            }
            current = nil
            return try committed(save)
        } catch let error as AgreedError {
            current = nil
            return .failed(try discard(save, because: error))
        }
    }

    /// Waits until the save under way, if any, has been written by all ranks and committed.
    package func finishSave() throws -> SaveOutcome? {
        while let save = current {
            save.wait()
            if let outcome = try poll() { return outcome }
        }
        return nil
    }

    /// No thread writes any more, so rank zero can remove the directory.
    private func discard(_ save: Save, because error: AgreedError) throws -> String {
        var text = "\(error)"
        if communicator.isRoot {
            do {
                try files.removeTree(partialDirectory(save.facts.step))
            } catch {
                text += "; and the unfinished directory remains: \(error)"
            }
        }
        return try communicator.broadcast(text)
    }

    // MARK: Commit

    private func beginCommit(_ save: Save) throws {
        observer(.readinessAgreed, rank)
        let summary = try save.job.result!.get()
        let summaries = try communicator.gather(summary.file.words(step: save.facts.step, save.tensors))
        observer(.summariesGathered, rank)
        current!.isCommitting = true
        guard communicator.isRoot else { return }
        let commit = CheckpointCommit(
            runDirectory: runDirectory, facts: save.facts, tensors: save.tensors, keep: keep, sound: sound,
            visibilityLimit: visibilityLimit, files: files, clock: clock, observer: observer)
        current!.commit = BackgroundJob("commit") { try commit.run(summaries) }
    }

    private func committed(_ save: Save) throws -> SaveOutcome {
        let shard = try save.job.result!.get(), commit = try save.commit?.result!.get()
        let byteCount = try communicator.sum([Int64(shard.file.byteCount)])[0]
        let seconds = try communicator.maximum([shard.seconds, commit?.seconds ?? 0])
        observer(.outcomeTold, rank)
        return .committed(
            directory: finalDirectory(save.facts.step), byteCount: Int(byteCount), seconds: seconds[0] + seconds[1],
            warnings: commit?.warnings ?? [])
    }
}
