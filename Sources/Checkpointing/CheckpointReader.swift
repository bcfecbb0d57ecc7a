package import Files
package import MessagePassing
package import SystemPackage
package import Threads

/// A checkpoint that all ranks, however many there are, have opened together and found sound.
///
/// Shard s is checked and read by rank s mod N, and its tensors are broadcast: every byte is read from disk once.
package final class CheckpointReader {
    package let directory: FilePath
    package let manifest: CheckpointManifest
    package let communicator: any Collective
    /// The shards that this rank reads, by index.
    private let shards: [Int: SafetensorsFile]

    private init(
        directory: FilePath, manifest: CheckpointManifest, communicator: any Collective,
        shards: [Int: SafetensorsFile]
    ) {
        self.directory = directory
        self.manifest = manifest
        self.communicator = communicator
        self.shards = shards
    }

    /// Seconds that a rank waits for files that it does not see in full: a shared file system may show them late.
    package static let visibilityLimit = 10.0

    /// Opens the newest sound checkpoint of a run; nil when the run has none yet. Collective.
    ///
    /// Rank zero alone looks into the directory and tells the others. `report` hears on rank zero about each damaged
    /// checkpoint that is passed over, and about files that are waited for. A run whose checkpoints are all damaged is
    /// a `CheckpointError`: starting over silently would be worse.
    package static func openNewest(
        runDirectory: FilePath, communicator: any Collective, visibilityLimit: Double = visibilityLimit,
        files: any FileOperations = SystemFiles(), clock: any TimeSource = SystemClock(), report: (String) -> Void
    ) throws -> CheckpointReader? {
        var hasRetired = false
        while true {
            do {
                let reader = try openNewestOfList(
                    runDirectory: runDirectory, communicator: communicator, visibilityLimit: visibilityLimit,
                    files: files, clock: clock, report: report)
                // Gone, but for no newer one: then nothing may begin as if there had never been any.
                try communicator.agree(
                    on: "resuming",
                    failure: reader == nil && hasRetired
                        ? "the checkpoints in \(runDirectory.shown) vanished while they were read: is its file system mounted?"
                        : nil)
                return reader
            } catch is Retired {
                hasRetired = true
            }
        }
    }

    /// A checkpoint was removed by the running training while it was read; thrown on all ranks.
    private struct Retired: Error {}

    private static func openNewestOfList(
        runDirectory: FilePath, communicator: any Collective, visibilityLimit: Double, files: any FileOperations,
        clock: any TimeSource, report: (String) -> Void
    ) throws -> CheckpointReader? {
        let candidates = try communicator.agree(on: "looking for checkpoints") {
            communicator.isRoot ? try CheckpointCatalog.directories(runDirectory: runDirectory, files: files) : []
        }
        var problems: [String] = []
        let count = try communicator.broadcast([candidates.count])[0]
        for index in 0..<count {
            let told = try communicator.broadcast(candidates.isEmpty ? "" : candidates[index].directory.text)
            let directory = FilePath(text: told)
            do {
                let reader = try open(
                    directory: directory, step: candidates.isEmpty ? nil : candidates[index].step,
                    communicator: communicator, visibilityLimit: visibilityLimit, files: files, clock: clock,
                    report: report)
                if communicator.isRoot { problems.forEach(report) }
                return reader
            } catch let error as AgreedError {
                let isGone = communicator.isRoot && !files.exists(directory)
                if try communicator.broadcast([isGone ? 1 : 0])[0] == 1 { throw Retired() }
                problems.append("passing over a damaged checkpoint: \(error)")
            }
        }
        guard problems.isEmpty else {
            try communicator.agree(
                on: "resuming",
                failure: "none of the \(problems.count) checkpoints in "
                    + "\(CheckpointCatalog.checkpointsDirectory(runDirectory).shown) can be used; restore one, or move that "
                    + "directory away to start anew: " + problems.joined(separator: "; "))
            return nil
        }
        return nil
    }

    /// Opens one checkpoint, or throws on every rank what is wrong with it. Collective.
    ///
    /// - Parameters:
    ///   - step: what rank zero expects it to hold; nil for any.
    ///   - visibilityLimit: seconds that each rank waits for a file that is not there, or not whole yet.
    ///   - report: hears on rank zero about such waiting when it begins.
    package static func open(
        directory: FilePath, step: Int? = nil, communicator: any Collective, visibilityLimit: Double = visibilityLimit,
        files: any FileOperations = SystemFiles(), clock: any TimeSource = SystemClock(),
        report: (String) -> Void = { _ in }
    ) throws -> CheckpointReader {
        let action = "opening checkpoint \(directory.shown)"
        func tell(_ whose: String, _ path: FilePath) {
            report(
                "\(whose)waiting at most \(visibilityLimit.shortText) s for \(path.shown), which is not there or not whole: "
                    + "the file system may show it late")
        }
        var visibility = FileVisibility(limit: visibilityLimit, files: files, clock: clock)
        let own: [UInt8] = try communicator.agree(on: action) {
            guard communicator.isRoot else { return [] }
            let path = directory.appending(CheckpointManifest.fileName)
            if !files.holds(path, byteCount: 1) { tell("", path) }
            _ = visibility.wait(for: path, byteCount: 1)
            return try CheckpointCatalog.readManifest(directory, step: step, files: files).text
        }
        let manifest = try CheckpointManifest(try communicator.broadcast(own))
        let shards = stride(from: communicator.rank, to: manifest.shards.count, by: communicator.size)
        func path(_ shard: Int) -> FilePath { directory.appending(manifest.shards[shard].file) }
        let late = shards.first { !files.holds(path($0), byteCount: manifest.shards[$0].byteCount) }.map(path)
        for (rank, path) in try communicator.gather(late?.bytes ?? []).enumerated() where !path.isEmpty {
            tell("rank \(rank): ", FilePath(bytes: path))
        }
        let opened = try communicator.agree(on: action) {
            var opened: [Int: SafetensorsFile] = [:]
            for shard in shards {
                // One that does not come in time is an error of its opening.
                _ = visibility.wait(for: path(shard), byteCount: manifest.shards[shard].byteCount)
                opened[shard] = try CheckpointCatalog.openShard(shard, of: manifest, in: directory, files)
            }
            return opened
        }
        return CheckpointReader(directory: directory, manifest: manifest, communicator: communicator, shards: opened)
    }

    /// Fills the memory of `targets`, the same list on every rank, with the tensors of their names. Collective.
    ///
    /// The checkpoint must hold exactly these tensors, in these shapes and types; when `partially`, it may hold more.
    package func read(into targets: [NamedTensor], partially: Bool = false) throws {
        let stored = Dictionary(uniqueKeysWithValues: manifest.tensors.map { ($0.name, $0) })
        try communicator.agree(on: "loading checkpoint \(directory.shown)") {
            try compare(targets, with: stored, partially: partially)
            for target in targets {
                guard let file = shards[stored[target.name]!.shard] else { continue }
                try file.read(into: target)
            }
        }
        for target in targets {
            let owner = stored[target.name]!.shard % communicator.size
            try target.withMutableBytes { try communicator.broadcast($0, from: owner) }
        }
    }

    /// All tensors, in new memory, by name. Collective.
    package func readAll() throws -> [String: NamedTensor] {
        let targets = manifest.tensors.map {
            NamedTensor(name: $0.name, elementType: $0.elementType, shape: $0.shape)
        }
        try read(into: targets)
        return Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
    }

    private func compare(
        _ targets: [NamedTensor], with stored: [String: CheckpointManifest.StoredTensor], partially: Bool
    ) throws {
        var differences: [String] = []
        for target in targets {
            guard let tensor = stored[target.name] else {
                differences.append("\(target.name) is missing")
                continue
            }
            if tensor.shape != target.shape || tensor.elementType != target.elementType {
                differences.append(
                    "\(target.name) is \(tensor.elementType.rawValue) \(tensor.shape) instead of "
                        + "\(target.elementType.rawValue) \(target.shape)")
            }
        }
        if !partially {
            let wanted = Set(targets.map(\.name))
            differences += manifest.tensors.filter { !wanted.contains($0.name) }.map { "\($0.name) has no place" }
        }
        guard differences.isEmpty else {
            let facts = manifest.facts.architecture.sorted { $0.key < $1.key }.map { "\($0) \($1)" }
            throw CheckpointError(
                "it is of another model (\(facts.joined(separator: ", "))): "
                    + differences.prefix(5).joined(separator: "; ")
                    + (differences.count > 5 ? "; and \(differences.count - 5) more" : "")
                    + "; use the configuration it was saved with, or another run.directory")
        }
    }
}
