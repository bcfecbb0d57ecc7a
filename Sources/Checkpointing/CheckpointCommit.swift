import Files
import SystemPackage
import Threads

/// How rank zero makes a checkpoint of the shards that all ranks have written: work for a thread of its own.
struct CheckpointCommit: Sendable {
    let runDirectory: FilePath
    let facts: CheckpointFacts
    let tensors: [CheckpointManifest.StoredTensor]
    let keep: Int
    let sound: SoundCheckpoints
    let visibilityLimit: Double
    let files: any FileOperations
    let clock: any TimeSource
    let observer: SaveObserver

    struct Summary: Sendable {
        let seconds: Double
        /// Of old checkpoints that could not be removed and the like.
        let warnings: [String]
    }

    private var parent: FilePath { CheckpointCatalog.checkpointsDirectory(runDirectory) }

    private func finalDirectory(_ step: Int) -> FilePath { parent.appending(CheckpointCatalog.name(ofStep: step)) }

    /// What a checkpoint's directory is called until it is whole.
    static func partialDirectory(_ final: FilePath) -> FilePath { final.appending(suffix: ".partial") }

    /// Commits, and removes old checkpoints.
    ///
    /// - Parameter summaries: of each rank the step, bytes and checksum of its shard, and the checksum of its plan.
    func run(_ summaries: [[Int]]) throws -> Summary {
        let start = clock.monotonic
        try commit(summaries)
        let warnings = retire(upTo: facts.step)
        return Summary(seconds: clock.monotonic - start, warnings: warnings)
    }

    private func commit(_ summaries: [[Int]]) throws {
        let step = facts.step
        let directory = Self.partialDirectory(finalDirectory(step))
        let shards = try ShardFile.shards(of: summaries, step: step)
        var visibility = FileVisibility(limit: visibilityLimit, files: files, clock: clock)
        for shard in shards {
            try awaitShard(directory.appending(shard.file), byteCount: shard.byteCount, &visibility)
        }
        observer(.sizesChecked, 0)
        let manifest = CheckpointManifest(facts: facts, shards: shards, tensors: tensors)
        try CheckpointManifest.write(manifest.encoded, into: directory, files) { observer($0, 0) }
        try setAsideSuperseded(from: step)
        observer(.supersededSetAside, 0)
        try files.move(directory, to: finalDirectory(step))
        observer(.renamed, 0)
        try files.synchronize(directory: parent)
        sound.add(step)
        observer(.committed, 0)
    }

    /// Waits until rank zero's view of the file system shows a shard as its writer left it.
    private func awaitShard(_ path: FilePath, byteCount: Int, _ visibility: inout FileVisibility) throws {
        _ = visibility.wait(for: path, byteCount: byteCount)
        let found = try files.size(path)
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
        for entry in try CheckpointCatalog.list(runDirectory: runDirectory, files: files) where entry.step >= step {
            let aside = entry.directory.appending(suffix: CheckpointCatalog.supersededSuffix)
            try files.removeTree(aside)
            try files.move(entry.directory, to: aside)
        }
    }

    /// What was set aside goes once newer checkpoints than it fill all places.
    private func removeSuperseded(before step: Int) throws {
        for name in try files.names(in: parent) {
            guard let old = CheckpointCatalog.step(ofSuperseded: name), old < step else { continue }
            try files.removeTree(parent.appending(name))
        }
    }

    /// Deletes all but the newest `keep` sound checkpoints; returns what could not be done.
    private func retire(upTo step: Int) -> [String] {
        var warnings: [String] = []
        do {
            let listed = try CheckpointCatalog.list(runDirectory: runDirectory, files: files)
            let valid = listed.filter(\.isValid)
            // While nothing is to go, nothing need be read.
            let kept =
                valid.count < keep || listed.count <= keep ? valid : newestSound(of: valid) { warnings.append($0) }
            let oldest = kept.count == keep ? kept.last!.step : 0
            // With those that are damaged; what never was a checkpoint of its step was not saved here.
            let old = listed.filter { $0.step < oldest && CheckpointCatalog.wasSaved($0, files: files) }
            for entry in old {
                let trash = parent.appending(CheckpointCatalog.trashPrefix + CheckpointCatalog.name(ofStep: entry.step))
                do {
                    try files.removeTree(trash)
                    try files.move(entry.directory, to: trash)
                    observer(.retirementBegun, 0)
                    try files.removeTree(trash)
                } catch {
                    warnings.append("cannot remove an old checkpoint: \(error)")
                }
            }
            if !old.isEmpty { try removeSuperseded(before: oldest) }
        } catch {
            warnings.append("cannot look for old checkpoints: \(error)")
        }
        observer(.retired, 0)
        return warnings
    }

    /// The newest `keep` checkpoints that are sound, or all.
    private func newestSound(
        of entries: [CheckpointCatalog.Entry], warn: (String) -> Void
    ) -> [CheckpointCatalog.Entry] {
        var found: [CheckpointCatalog.Entry] = []
        for entry in entries where found.count < keep && sound.contains(entry, files, warn: warn) {
            found.append(entry)
        }
        return found
    }
}
