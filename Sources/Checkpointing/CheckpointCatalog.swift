package import Files
package import SystemPackage

/// The checkpoints of a run directory: `<run>/checkpoints/step-00001200/`.
///
/// Names that end in `.partial` are unfinished, in `.superseded` set aside because the run went on from an earlier
/// step, and those that begin with `.trash-` are being deleted: none of them is a checkpoint.
package enum CheckpointCatalog {
    package struct Entry {
        package let step: Int
        package let directory: FilePath
        /// The manifest, or what makes this no checkpoint. Checksums of shards are not computed here (see `verify`).
        package let manifest: Result<CheckpointManifest, any Error>

        package var isValid: Bool {
            if case .success = manifest { true } else { false }
        }
    }

    /// What looks like a checkpoint in `runDirectory`, newest first; none when the directory does not exist.
    package static func list(runDirectory: FilePath, files: any FileOperations = SystemFiles()) throws -> [Entry] {
        try directories(runDirectory: runDirectory, files: files).map { step, directory in
            Entry(
                step: step, directory: directory,
                manifest: Result {
                    let manifest = try readManifest(directory, step: step, files: files).manifest
                    try checkSizes(of: manifest, in: directory, files)
                    return manifest
                })
        }
    }

    /// Whether this is, or was, a checkpoint of its step: shards and manifest may be damaged.
    static func wasSaved(_ entry: Entry, files: any FileOperations) -> Bool {
        guard !entry.isValid else { return true }
        guard files.exists(entry.directory.appending(CheckpointManifest.fileName)) else { return false }
        // One that cannot be read is damaged; one of another step got this name from somebody.
        return (try? readManifest(entry.directory, files: files)).map { $0.manifest.facts.step == entry.step } ?? true
    }

    /// The directories with names of checkpoints, newest first, whatever is in them.
    static func directories(
        runDirectory: FilePath, files: any FileOperations = SystemFiles()
    ) throws -> [(step: Int, directory: FilePath)] {
        let parent = checkpointsDirectory(runDirectory)
        guard files.exists(parent) else { return [] }
        return try files.names(in: parent).compactMap { name in
            step(ofName: name.string).map { (step: $0, directory: parent.appending(name)) }
        }.sorted { $0.step > $1.step }
    }

    /// The step of the newest checkpoint that is complete, and of the newest that was set aside; 0 for none.
    package static func newestSteps(
        runDirectory: FilePath, files: any FileOperations = SystemFiles()
    ) throws -> (complete: Int, setAside: Int) {
        let parent = checkpointsDirectory(runDirectory)
        files.lookAnew(at: parent)
        var complete = 0, setAside = 0
        for name in try files.names(in: parent) {
            if let step = step(ofName: name.string) {
                let manifest = parent.appending(name).appending(CheckpointManifest.fileName)
                if step > complete, files.exists(manifest) { complete = step }
            } else if let step = step(ofSuperseded: name) {
                setAside = max(setAside, step)
            }
        }
        return (complete, setAside)
    }

    /// Reads every byte of a checkpoint and throws a `CheckpointError` that lists everything wrong with it.
    @discardableResult
    package static func verify(
        _ directory: FilePath, files: any FileOperations = SystemFiles()
    ) throws -> CheckpointManifest {
        let manifest = try readManifest(directory, files: files).manifest
        var problems: [String] = []
        for shard in manifest.shards.indices {
            do { _ = try openShard(shard, of: manifest, in: directory, files) } catch { problems.append("\(error)") }
        }
        guard problems.isEmpty else {
            throw CheckpointError("\(directory.shown) is damaged: " + problems.joined(separator: "; "))
        }
        return manifest
    }

    package static func checkpointsDirectory(_ runDirectory: FilePath) -> FilePath {
        runDirectory.appending("checkpoints")
    }

    /// Where the checkpoint of a step is, or would be.
    package static func directory(runDirectory: FilePath, step: Int) -> FilePath {
        checkpointsDirectory(runDirectory).appending(name(ofStep: step))
    }

    /// Where the checkpoint of a step is; throws a `CheckpointError` that lists those that are, where it is not one of them.
    package static func find(step: Int, runDirectory: FilePath) throws -> FilePath {
        let found = try directories(runDirectory: runDirectory)
        if let entry = found.first(where: { $0.step == step }) { return entry.directory }
        let parent = checkpointsDirectory(runDirectory)
        guard let newest = found.first else {
            throw CheckpointError("no checkpoint of step \(step): there is none at all in \(parent.shown)")
        }
        let listed = found.prefix(20).map { String($0.step) }.joined(separator: ", ")
        throw CheckpointError(
            "no checkpoint of step \(step) in \(parent.shown); there are those of step \(listed)"
                + (found.count > 20 ? " and \(found.count - 20) more" : "") + "; without --step it is \(newest.step)")
    }

    package static func name(ofStep step: Int) -> String { "step-" + String(step).zeroPadded(to: 8) }

    static func step(ofName name: String) -> Int? {
        guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), name == Self.name(ofStep: step) else {
            return nil
        }
        return step
    }

    static let trashPrefix = ".trash-", supersededSuffix = ".superseded"

    /// Left by a save or a removal that a crash cut off.
    static func isUnfinished(_ name: FilePath.Component) -> Bool {
        name.hasSuffix(".partial") || name.string.hasPrefix(trashPrefix)
    }

    static func step(ofSuperseded name: FilePath.Component) -> Int? {
        name.hasSuffix(supersededSuffix) ? step(ofName: String(name.string.dropLast(supersededSuffix.count))) : nil
    }

    static func shardName(_ index: Int, of count: Int) -> String {
        "shard-\(String(index + 1).zeroPadded(to: 5))-of-\(String(count).zeroPadded(to: 5)).safetensors"
    }

    /// The manifest of a checkpoint and its text, when it is sound and, if `step` is given, of that step.
    static func readManifest(
        _ directory: FilePath, step: Int? = nil, files: any FileOperations = SystemFiles()
    ) throws -> (manifest: CheckpointManifest, text: [UInt8]) {
        let path = directory.appending(CheckpointManifest.fileName)
        let file = try files.open(path)
        guard file.size <= CheckpointManifest.maximumByteCount else {
            throw FileError(path: path, reason: "has \(file.size) bytes, too many for a manifest")
        }
        let text = try file.bytes(0..<file.size)
        let manifest: CheckpointManifest
        do { manifest = try CheckpointManifest(text) } catch { throw FileError(path: path, reason: "\(error)") }
        guard step == nil || manifest.facts.step == step else {
            throw FileError(path: directory, reason: "holds step \(manifest.facts.step); give it its own name back")
        }
        return (manifest, text)
    }

    /// Throws unless all shards are there in their full size.
    private static func checkSizes(
        of manifest: CheckpointManifest, in directory: FilePath, _ files: any FileOperations
    ) throws {
        for shard in manifest.shards {
            let path = directory.appending(shard.file)
            let size = try files.size(path)
            guard size == shard.byteCount else { throw wrongSize(size, shard, path) }
        }
    }

    private static func wrongSize(_ size: Int, _ shard: CheckpointManifest.Shard, _ path: FilePath) -> FileError {
        let cause = size < shard.byteCount ? "it was cut short" : "something was written behind it"
        return FileError(path: path, reason: "has \(size) bytes instead of \(shard.byteCount); \(cause)")
    }

    /// Opens a shard after comparing its checksum and its tensors with the manifest.
    static func openShard(
        _ index: Int, of manifest: CheckpointManifest, in directory: FilePath, _ files: any FileOperations
    ) throws -> SafetensorsFile {
        let shard = manifest.shards[index]
        let path = directory.appending(shard.file)
        let input = try files.open(path)
        guard input.size == shard.byteCount else { throw wrongSize(input.size, shard, path) }
        let checksum = try CRC32C(of: input).text
        guard checksum == shard.checksum else {
            throw FileError(
                path: path, reason: "has CRC-32C \(checksum) instead of \(shard.checksum); its contents were damaged")
        }
        let file = try SafetensorsFile(path: path, files: files)
        let expected = manifest.tensors.filter { $0.shard == index }
        for tensor in expected {
            let found = file.description(of: tensor.name)
            guard found?.elementType == tensor.elementType, found?.shape == tensor.shape else {
                throw FileError(path: path, reason: "does not hold '\(tensor.name)' as the manifest says")
            }
        }
        guard file.tensors.count == expected.count else {
            throw FileError(path: path, reason: "holds tensors that the manifest does not name")
        }
        return file
    }
}
