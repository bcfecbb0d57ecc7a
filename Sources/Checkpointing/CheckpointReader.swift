package import Files
package import MessagePassing
package import SystemPackage
package import Threads

/// A checkpoint that all ranks, however many there are, have opened together and found sound.
///
/// Each shard is checked and read by one rank, and its tensors are broadcast: every byte is read once. On disk that is
/// rank s mod N for shard s, in the hosts' memory one of a host that has it.
package final class CheckpointReader {
    /// On disk, or in the memory of this host.
    package let directory: FilePath
    /// How many hosts have it in their memory together; nil where it is on disk.
    package let hosts: Int?
    package let manifest: CheckpointManifest
    package let communicator: any Collective
    /// The rank that reads each shard.
    private let owners: [Int]
    /// The shards that this rank reads, by index.
    private let shards: [Int: SafetensorsFile]

    init(
        directory: FilePath, hosts: Int? = nil, manifest: CheckpointManifest, communicator: any Collective,
        owners: [Int], shards: [Int: SafetensorsFile]
    ) {
        (self.directory, self.hosts) = (directory, hosts)
        self.manifest = manifest
        self.communicator = communicator
        (self.owners, self.shards) = (owners, shards)
    }

    /// Where it is, for people.
    package var place: String {
        guard let hosts else { return directory.shown }
        let name = CheckpointCatalog.name(ofStep: manifest.facts.step)
        return "\(name) in the memory of \(hosts) host\(hosts == 1 ? "" : "s")"
    }

    /// Seconds that a rank waits for files that it does not see in full: a shared file system may show them late.
    package static let visibilityLimit = 10.0

    /// Opens one checkpoint, or throws on every rank what is wrong with it. Collective.
    ///
    /// - Parameters:
    ///   - step: what rank zero expects it to hold; nil for any.
    ///   - visibilityLimit: seconds that each rank waits for a file that is not there, or not whole yet.
    ///   - report: hears on rank zero about such waiting when it begins.
    ///   - unseen: hears on ranks that could not look at a file, which may be sound.
    package static func open(
        directory: FilePath, step: Int? = nil, communicator: any Collective, visibilityLimit: Double = visibilityLimit,
        files: any FileOperations = SystemFiles(), clock: any TimeSource = SystemClock(),
        report: (String) -> Void = { _ in }, unseen: () -> Void = {}
    ) throws -> CheckpointReader {
        let action = "opening checkpoint \(directory.shown)"
        func tell(_ whose: String, _ path: FilePath) {
            report(
                "\(whose)waiting at most \(visibilityLimit.shortText) s for \(path.shown), which is not there or not whole: "
                    + "the file system may show it late")
        }
        func looking<Value>(_ body: () throws -> Value) throws -> Value {
            do { return try body() } catch let error as FileError where error.isOfLooking {
                unseen()
                throw error
            }
        }
        var visibility = FileVisibility(limit: visibilityLimit, files: files, clock: clock)
        let own: [UInt8] = try communicator.agree(on: action) {
            guard communicator.isRoot else { return [] }
            let path = directory.appending(CheckpointManifest.fileName)
            if !files.holds(path, byteCount: 1) { tell("", path) }
            _ = visibility.wait(for: path, byteCount: 1)
            return try looking { try CheckpointCatalog.readManifest(directory, step: step, files: files).text }
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
                opened[shard] = try looking {
                    try CheckpointCatalog.openShard(shard, of: manifest, in: directory, files)
                }
            }
            return opened
        }
        return CheckpointReader(
            directory: directory, manifest: manifest, communicator: communicator,
            owners: manifest.shards.indices.map { $0 % communicator.size }, shards: opened)
    }

    /// Where a tensor goes: memory for it is asked for when it is about to be filled, so that little is needed at a time.
    package struct Place {
        package let name: String
        package let elementType: StoredElementType
        package let shape: [Int]
        let room: () -> NamedTensor
        let take: (NamedTensor) -> Void

        /// - Parameters:
        ///   - room: memory of this type and shape.
        ///   - take: is given that again, filled.
        package init(
            name: String, elementType: StoredElementType, shape: [Int], room: @escaping () -> NamedTensor,
            take: @escaping (NamedTensor) -> Void
        ) {
            (self.name, self.elementType, self.shape) = (name, elementType, shape)
            (self.room, self.take) = (room, take)
        }

        var byteCount: Int { shape.reduce(elementType.byteCount, *) }
    }

    /// Fills the memory of `targets`, the same list on every rank, with the tensors of their names. Collective.
    ///
    /// The checkpoint must hold exactly these tensors, in these shapes and types; when `partially`, it may hold more.
    package func read(into targets: [NamedTensor], partially: Bool = false) throws {
        try read(
            into: targets.map { target in
                Place(
                    name: target.name, elementType: target.elementType, shape: target.shape, room: { target },
                    take: { _ in })
            }, partially: partially)
    }

    /// The same for places. Nothing is taken where a rank cannot read its tensors.
    package func read(into places: [Place], partially: Bool = false) throws {
        let stored = Dictionary(uniqueKeysWithValues: manifest.tensors.map { ($0.name, $0) })
        var own: [String: NamedTensor] = [:]
        try communicator.agree(on: "loading checkpoint \(directory.shown)") {
            try compare(places, with: stored, partially: partially)
            for place in places {
                guard let file = shards[stored[place.name]!.shard] else { continue }
                let room = place.room()
                try file.read(into: room)
                own[place.name] = room
            }
        }
        let byOwner = Dictionary(grouping: places) { owners[stored[$0.name]!.shard] }
        for (owner, places) in byOwner.sorted(by: { $0.key < $1.key }) {
            for group in Self.groups(places) {
                let rooms = group.map { own.removeValue(forKey: $0.name) ?? $0.room() }
                try broadcast(rooms, from: owner)
                for (place, room) in zip(group, rooms) { place.take(room) }
            }
        }
    }

    /// At most so many bytes travel together: each broadcast takes its time, however little it brings.
    private static let groupBytes = 4 << 20

    /// What travels together, in order but for large tensors, which travel alone.
    private static func groups(_ places: [Place]) -> [[Place]] {
        var groups: [[Place]] = [], group: [Place] = [], byteCount = 0
        for place in places {
            if place.byteCount >= groupBytes {
                groups.append([place])
                continue
            }
            if byteCount + place.byteCount > groupBytes {
                groups.append(group)
                (group, byteCount) = ([], 0)
            }
            group.append(place)
            byteCount += place.byteCount
        }
        return group.isEmpty ? groups : groups + [group]
    }

    private func broadcast(_ group: [NamedTensor], from owner: Int) throws {
        let byteCount = group.reduce(0) { $0 + $1.byteCount }
        guard communicator.size > 1, byteCount > 0 else { return }
        if group.count == 1 { return try group[0].withMutableBytes { try communicator.broadcast($0, from: owner) } }
        var bytes: [UInt8] = []
        if communicator.rank == owner {
            bytes.reserveCapacity(byteCount)
            for tensor in group { tensor.withBytes { bytes += $0 } }
        } else {
            bytes = [UInt8](repeating: 0, count: byteCount)
        }
        try bytes.withUnsafeMutableBytes { try communicator.broadcast($0, from: owner) }
        guard communicator.rank != owner else { return }
        var rest = bytes[...]
        for tensor in group {
            tensor.withMutableBytes { target in
                target.copyBytes(from: rest.prefix(target.count))
                rest = rest.dropFirst(target.count)
            }
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
        _ places: [Place], with stored: [String: CheckpointManifest.StoredTensor], partially: Bool
    ) throws {
        var differences: [String] = []
        for place in places {
            guard let tensor = stored[place.name] else {
                differences.append("\(place.name) is missing")
                continue
            }
            if tensor.shape != place.shape || tensor.elementType != place.elementType {
                differences.append(
                    "\(place.name) is \(tensor.elementType.rawValue) \(tensor.shape) instead of "
                        + "\(place.elementType.rawValue) \(place.shape)")
            }
        }
        if !partially {
            let wanted = Set(places.map(\.name))
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
