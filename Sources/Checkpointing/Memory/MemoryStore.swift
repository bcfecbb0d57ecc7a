package import Files
package import SystemPackage

/// Where a host keeps a run's checkpoints in its memory: a folder of a file system that is memory, `/dev/shm/pixpro-4kx2`.
///
/// In it is what a run's directory has on disk, `checkpoints/step-00000120/`, of which each host has the manifest and some
/// of the shards: those of its own ranks, and copies of those of the host before it.
package struct MemoryStore: Sendable {
    /// Holds `checkpoints/`.
    let directory: FilePath
    let files: any FileOperations

    /// What a manifest's counters call the start of the run in which its state was reached.
    package static let startCounter = "start"

    /// - Parameters:
    ///   - folder: of this host, in its memory.
    ///   - identity: of the run: memory of another is never seen.
    package init(folder: FilePath, identity: String, files: any FileOperations = SystemFiles()) {
        directory = folder.appending("pixpro-\(identity)")
        self.files = files
    }

    /// Which memory it is, among those of all hosts; nil where that cannot be told.
    var memoryIdentity: String? {
        files.identityAmongMachines(of: FileSystem.parent(of: directory))
    }

    /// Makes the folder of this host; returns why that cannot be done.
    package func makeFolder() -> String? {
        do {
            try files.makeDirectories(FileSystem.parent(of: directory))
            return nil
        } catch {
            return "\(error)"
        }
    }

    func finalDirectory(_ step: Int) -> FilePath { CheckpointCatalog.directory(runDirectory: directory, step: step) }

    /// Of the checkpoint that is being made. What a crash leaves of it is never taken for one.
    var nextDirectory: FilePath {
        CheckpointCatalog.checkpointsDirectory(directory).appending("next.partial")
    }

    /// The newest step of which this host has a part, of the way that a run took; 0 without one.
    package func newestStep(of course: RunCourse) -> Int { parts(of: course).map(\.step).max() ?? 0 }

    /// What this host has of the way that a run took. What cannot be read is not there: another host may have it too.
    func parts(of course: RunCourse) -> [(step: Int, manifest: CheckpointManifest, text: [UInt8])] {
        let entries = (try? CheckpointCatalog.directories(runDirectory: directory, files: files)) ?? []
        return entries.compactMap { step, directory in
            guard let (manifest, text) = try? CheckpointCatalog.readManifest(directory, step: step, files: files),
                let start = manifest.facts.counters[Self.startCounter], course.includes(step: step, ofStart: start)
            else { return nil }
            return (step, manifest, text)
        }
    }

    /// What the run's checkpoints take here, in bytes, also what a crash left of them. What cannot be looked at counts as
    /// nothing.
    package var byteCount: Int {
        func names(_ directory: FilePath) -> [FilePath] {
            ((try? files.names(in: directory)) ?? []).map { directory.appending($0) }
        }
        return names(CheckpointCatalog.checkpointsDirectory(directory)).flatMap(names).reduce(0) {
            $0 + ((try? files.size($1)) ?? 0)
        }
    }

    /// What a crash left half made goes.
    func clear() throws {
        let parent = CheckpointCatalog.checkpointsDirectory(directory)
        guard files.exists(parent) else { return }
        for name in try files.names(in: parent) where CheckpointCatalog.isUnfinished(name) {
            try files.removeTree(parent.appending(name))
        }
    }

    /// Makes the directory of the next checkpoint: of that of `step`, whose files are written again, or a new one.
    func prepare(reusing step: Int?) throws {
        try files.removeTree(nextDirectory)
        guard let step else { return try files.makeDirectories(nextDirectory) }
        // Its name first: with it the directory is no checkpoint any more.
        try files.move(finalDirectory(step), to: nextDirectory)
        try files.removeTree(nextDirectory.appending(CheckpointManifest.fileName))
    }

    /// The manifest comes last, and with it the directory's own name.
    func complete(_ step: Int, manifest: [UInt8]) throws {
        let final = finalDirectory(step)
        try CheckpointManifest.write(manifest, into: nextDirectory, files)
        // Of a way that the run has left.
        try files.removeTree(final)
        try files.move(nextDirectory, to: final)
        try files.synchronize(directory: CheckpointCatalog.checkpointsDirectory(directory))
    }

    /// Removes all but the checkpoints of some steps.
    func keep(only steps: Set<Int>) throws {
        for entry in try CheckpointCatalog.directories(runDirectory: directory, files: files)
        where !steps.contains(entry.step) {
            try files.removeTree(entry.directory)
        }
    }

    /// Removes what there is of the next checkpoint.
    func discardNext() throws { try files.removeTree(nextDirectory) }

    /// Removes a checkpoint that is not complete on all hosts.
    func discard(_ step: Int) throws { try files.removeTree(finalDirectory(step)) }

    func removeAll() throws { try files.removeTree(directory) }
}
