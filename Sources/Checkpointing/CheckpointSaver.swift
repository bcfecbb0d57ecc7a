import Files
import Glibc
import MessagePassing
import SystemPackage

/// How a save ended, the same on every rank.
public enum SaveOutcome: Sendable {
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
/// `poll` asks, by one small collective, whether all ranks are done, and then commits: every rank has written and
/// synchronized its shard in `step-….partial`; rank zero checks sizes, writes the manifest, synchronizes it, renames the
/// directory, and tells all. `finishSave` waits for that. All of these are collective.
public final class CheckpointSaver {
    public let runDirectory: FilePath
    private let parent: FilePath
    private let communicator: Communicator
    private let keep: Int
    private let visibilityLimit: Double
    private let observer: SaveObserver
    private var current: Save?

    /// A save that is being written.
    private struct Save {
        let facts: CheckpointFacts
        let tensors: [CheckpointManifest.StoredTensor]
        let job: BackgroundJob<ShardSummary>
    }

    private struct ShardSummary: Sendable {
        let byteCount: Int
        let checksum: CRC32C
        /// From `beginSave` to the end of writing.
        let seconds: Double
    }

    /// Creates the directory for checkpoints and removes what an earlier attempt left unfinished. Collective.
    ///
    /// - Parameters:
    ///   - keep: how many checkpoints remain after each commit, at least one.
    ///   - visibilityLimit: seconds that rank zero waits for shards of other hosts to appear on a network file system.
    ///   - observer: is told of every point of every save, for tests.
    public init(
        runDirectory: FilePath, communicator: Communicator, keep: Int, visibilityLimit: Double = 60,
        observer: @escaping SaveObserver = { _, _ in }
    ) throws {
        precondition(keep >= 1, "keep \(keep) checkpoints: at least one must remain")
        self.runDirectory = runDirectory
        self.communicator = try communicator.duplicated(name: "checkpoints")
        self.keep = keep
        self.visibilityLimit = visibilityLimit
        self.observer = observer
        let parent = CheckpointCatalog.checkpointsDirectory(runDirectory)
        self.parent = parent
        // A limit on file sizes shall make writes fail, not end the process.
        signal(SIGXFSZ, SIG_IGN)
        try communicator.agree(on: "preparing \(parent.shown)") {
            guard communicator.isRoot else { return }
            try FileSystem.makeDirectories(parent)
            for name in try FileSystem.names(in: parent) where CheckpointCatalog.isUnfinished(name) {
                try FileSystem.removeTree(parent.appending(name))
            }
        }
    }

    /// Whether a save is under way, the same on every rank.
    public var isSaving: Bool { current != nil }

    private var rank: Int { communicator.rank }

    private func finalDirectory(_ step: Int) -> FilePath { parent.appending(CheckpointCatalog.name(ofStep: step)) }

    private func partialDirectory(_ step: Int) -> FilePath { finalDirectory(step).appending(suffix: ".partial") }

    /// Copies this rank's share of `tensors`, which all ranks hold alike, and starts writing it. No save may be under
    /// way. Does not communicate; the copies take 1/N of the tensors' memory until the share is written.
    public func beginSave(_ tensors: [SavedTensor], facts: CheckpointFacts) {
        precondition(current == nil, "a save is under way; call finishSave first")
        let start = ContinuousClock.now
        observer(.begun, rank)
        let owners = ShardPlan(tensors, ranks: communicator.size).owners
        let mine = tensors.indices.filter { owners[$0] == rank }.map { tensors[$0].copy() }
        observer(.copied, rank)
        let metadata = [
            "format": "pt", "step": String(facts.step), "shard": "\(rank + 1) of \(communicator.size)",
        ]
        let directory = partialDirectory(facts.step)
        let path = directory.appending(CheckpointCatalog.shardName(rank, of: communicator.size))
        current = Save(
            facts: facts,
            tensors: zip(tensors, owners).map {
                .init(name: $0.name, elementType: $0.elementType, shape: $0.shape, shard: $1)
            },
            job: BackgroundJob("save") { [observer, rank] in
                do {
                    let (byteCount, checksum) = try Self.writeShard(
                        mine, metadata: metadata, directory: directory, path: path
                    ) { observer($0, rank) }
                    return ShardSummary(
                        byteCount: byteCount, checksum: checksum, seconds: (ContinuousClock.now - start).inSeconds)
                } catch let error as FileError where [ENOSPC, EDQUOT, EFBIG].contains(error.code) {
                    throw error.advising("or keep fewer checkpoints (checkpoint.keep)")
                }
            })
    }

    /// The writer thread's work: makes no MPI calls.
    private static func writeShard(
        _ tensors: [NamedTensor], metadata: [String: String], directory: FilePath, path: FilePath,
        reached: (SavePoint) -> Void
    ) throws -> (byteCount: Int, checksum: CRC32C) {
        try FileSystem.makeDirectories(directory)
        reached(.directoryMade)
        let file = try OutputFile(path: path)
        reached(.shardCreated)
        var isHalfWritten = false, checksum = CRC32C()
        try SafetensorsFile.write(tensors, metadata: metadata) {
            checksum.add($0)
            try file.append($0)
        } progress: { done, total in
            if !isHalfWritten && done * 2 >= total {
                isHalfWritten = true
                reached(.shardHalfWritten)
            }
        }
        reached(.shardWritten)
        try file.synchronize()
        try file.finish()
        reached(.shardSynchronized)
        try FileSystem.synchronize(directory: directory)
        reached(.shardFinished)
        return (file.size, checksum)
    }

    /// Commits the save under way if all ranks have written their shards; nil while any still writes, or when there is
    /// no save. Only MPI's failures are thrown: a save that fails is an outcome, and training may go on.
    public func poll() throws -> SaveOutcome? {
        guard let save = current else { return nil }
        var failure: String?
        let state: Int64
        switch save.job.result {
        case nil: state = 0
        case .success: state = 1
        case .failure(let error):
            state = 2
            failure = "\(error)"
        }
        let extremes = try communicator.minimum([state, -state])
        guard extremes[0] > 0 else { return nil }
        current = nil
        do {
            if extremes[1] == -2 {
                try communicator.agree(on: "saving step \(save.facts.step)", failure: failure)
            }
            return try commit(save)
        } catch let error as AgreedError {
            return .failed(try discard(save, because: error))
        }
    }

    /// Waits until the save under way, if any, has been written by all ranks, and commits it.
    public func finishSave() throws -> SaveOutcome? {
        current?.job.wait()
        return try poll()
    }

    /// Every rank's writer has ended, so rank zero can remove the directory.
    private func discard(_ save: Save, because error: AgreedError) throws -> String {
        var text = "\(error)"
        if communicator.isRoot {
            do {
                try FileSystem.removeTree(partialDirectory(save.facts.step))
            } catch {
                text += "; and the unfinished directory remains: \(error)"
            }
        }
        return try communicator.broadcast(text)
    }

    // MARK: Commit

    private func commit(_ save: Save) throws -> SaveOutcome {
        let start = ContinuousClock.now
        observer(.readinessAgreed, rank)
        let summary = try save.job.result!.get()
        let layout = CRC32C.of(save.tensors.flatMap { Array("\($0.name) \($0.shape) \($0.shard)\n".utf8) })
        let summaries = try communicator.gather(
            [save.facts.step, summary.byteCount, Int(summary.checksum.value), Int(layout.value)])
        observer(.summariesGathered, rank)
        try communicator.agree(on: "committing step \(save.facts.step)") {
            if communicator.isRoot { try commitAsRoot(save, summaries) }
        }
        observer(.outcomeTold, rank)
        let byteCount = try communicator.sum([Int64(summary.byteCount)])[0]
        let seconds = try communicator.maximum([summary.seconds, (ContinuousClock.now - start).inSeconds])
        return .committed(
            directory: finalDirectory(save.facts.step), byteCount: Int(byteCount), seconds: seconds[0] + seconds[1],
            warnings: communicator.isRoot ? retire(upTo: save.facts.step) : [])
    }

    private func commitAsRoot(_ save: Save, _ summaries: [[Int]]) throws {
        let step = save.facts.step
        for (rank, summary) in summaries.enumerated() where summary[0] != step || summary[3] != summaries[0][3] {
            throw CheckpointError(
                "rank \(rank) saved other tensors or another step (\(summary[0])) than rank 0 (\(step))")
        }
        let directory = partialDirectory(step)
        let shards = summaries.enumerated().map { rank, summary in
            var digits = String(summary[2], radix: 16)
            digits = String(repeating: "0", count: 8 - digits.count) + digits
            return CheckpointManifest.Shard(
                file: CheckpointCatalog.shardName(rank, of: summaries.count), byteCount: summary[1], checksum: digits)
        }
        var visibility = FileVisibility(limit: visibilityLimit)
        for shard in shards {
            try awaitShard(directory.appending(shard.file), byteCount: shard.byteCount, &visibility)
        }
        observer(.sizesChecked, rank)
        let manifest = CheckpointManifest(facts: save.facts, shards: shards, tensors: save.tensors)
        let file = try OutputFile(path: directory.appending(CheckpointManifest.fileName))
        try file.append(manifest.encoded)
        observer(.manifestWritten, rank)
        try file.synchronize()
        try file.finish()
        try FileSystem.synchronize(directory: directory)
        observer(.manifestSynchronized, rank)
        try setAsideSuperseded(from: step)
        observer(.supersededSetAside, rank)
        try FileSystem.move(directory, to: finalDirectory(step))
        observer(.renamed, rank)
        try FileSystem.synchronize(directory: parent)
        observer(.committed, rank)
    }

    /// Waits until rank zero's view of the file system shows a shard as its writer left it.
    private func awaitShard(_ path: FilePath, byteCount: Int, _ visibility: inout FileVisibility) throws {
        _ = visibility.wait(for: path, byteCount: byteCount)
        let found = try FileSystem.size(path)
        guard found == byteCount else {
            throw FileError(
                path: path,
                reason: "has \(found) bytes on rank zero's host instead of the \(byteCount) written; are all ranks "
                    + "on one shared file system?")
        }
    }

    /// A run that goes on from an earlier step leaves later checkpoints behind, damaged or of another course. They are
    /// kept under another name, so that a resume never picks them.
    private func setAsideSuperseded(from step: Int) throws {
        for entry in try CheckpointCatalog.list(runDirectory: runDirectory) where entry.step >= step {
            let aside = entry.directory.appending(suffix: CheckpointCatalog.supersededSuffix)
            try FileSystem.removeTree(aside)
            try FileSystem.move(entry.directory, to: aside)
        }
    }

    /// What was set aside goes once newer checkpoints than it fill all places.
    private func removeSuperseded(before step: Int) throws {
        for name in try FileSystem.names(in: parent) {
            guard let old = CheckpointCatalog.step(ofSuperseded: name), old < step else { continue }
            try FileSystem.removeTree(parent.appending(name))
        }
    }

    /// Deletes all but the newest `keep` checkpoints; returns what could not be done.
    private func retire(upTo step: Int) -> [String] {
        var warnings: [String] = []
        do {
            let sound = try CheckpointCatalog.list(runDirectory: runDirectory).filter(\.isValid)
            for entry in sound.dropFirst(keep) {
                let trash = parent.appending(CheckpointCatalog.trashPrefix + CheckpointCatalog.name(ofStep: entry.step))
                do {
                    try FileSystem.removeTree(trash)
                    try FileSystem.move(entry.directory, to: trash)
                    observer(.retirementBegun, rank)
                    try FileSystem.removeTree(trash)
                } catch {
                    warnings.append("cannot remove an old checkpoint: \(error)")
                }
            }
            if sound.count > keep { try removeSuperseded(before: sound[keep - 1].step) }
        } catch {
            warnings.append("cannot look for old checkpoints: \(error)")
        }
        observer(.retired, rank)
        return warnings
    }
}
