import Files
import MessagePassing
import SystemPackage

/// The memories of all hosts together: a checkpoint is complete where the shards that they hold are all of its own.
struct HostMemories: CheckpointStore {
    /// Of this host.
    let store: MemoryStore
    /// Which of the states found are of the way that the run took.
    let course: RunCourse
    let plan: HostPlan
    let communicator: any Collective

    init(_ store: MemoryStore, _ course: RunCourse, _ communicator: any Collective) throws {
        (self.store, self.course, self.communicator) = (store, course, communicator)
        plan = try HostPlan(store, over: communicator)
    }

    var adjective: String { "checkpoint in memory" }
    var isLasting: Bool { false }

    private var rank: Int { communicator.rank }

    func list() throws -> [Candidate] {
        let found = plan.isFirst(rank) ? here.map { [$0.candidate.step, Int($0.candidate.checksum)] } : []
        let all = try communicator.allGather(found.flatMap { $0 })
        var candidates: [Candidate] = []
        for words in all {
            for place in stride(from: 0, to: words.count, by: 2) {
                let candidate = Candidate(step: words[place], checksum: UInt32(words[place + 1]))
                if !candidates.contains(candidate) { candidates.append(candidate) }
            }
        }
        return candidates.sorted { ($0.step, $0.checksum) > ($1.step, $1.checksum) }
    }

    private var here: [(candidate: Candidate, manifest: (value: CheckpointManifest, text: [UInt8]))] {
        store.parts(of: course).map { step, manifest, text in
            (Candidate(step: step, checksum: CRC32C.of(text).value), (manifest, text))
        }
    }

    func open(_ candidate: Candidate) throws -> CheckpointReader {
        let mine = here.first { $0.candidate == candidate }
        let holders = try communicator.allGather([UInt8(mine == nil ? 0 : 1)])
        let directory = store.finalDirectory(candidate.step), action = "opening \(directory.shown) of all hosts"
        guard let holder = holders.firstIndex(of: [1]) else {
            throw AgreedError(action: action, failures: [(0, "it is gone")], rankCount: 1)
        }
        let text = try communicator.broadcast(mine?.manifest.text ?? [], from: holder)
        let manifest = try CheckpointManifest(text)
        let (opened, damage) = mine == nil ? ([:], []) : openHere(manifest, directory)
        let sound = try communicator.allGather(opened.keys.sorted())
        let owners = manifest.shards.indices.map { shard in sound.firstIndex { $0.contains(shard) } }
        let lost = owners.indices.filter { owners[$0] == nil }
        let problems = try communicator.allGather(damage.joined(separator: "; ")).filter { !$0.isEmpty }
        guard lost.isEmpty else {
            let names = lost.prefix(4).map { manifest.shards[$0].file }.joined(separator: ", ")
            throw AgreedError(
                action: action,
                failures: [
                    (
                        0,
                        "no host has \(names)\(lost.count > 4 ? " and \(lost.count - 4) more" : "")"
                            + (problems.isEmpty ? "" : ": " + problems.joined(separator: "; "))
                    )
                ], rankCount: 1)
        }
        return CheckpointReader(
            directory: directory, hosts: plan.ranks.count, manifest: manifest, communicator: communicator,
            owners: owners.map { $0! }, shards: opened.filter { owners[$0.key] == rank })
    }

    /// Opens the shards that this host has, of which its ranks check one after another.
    private func openHere(
        _ manifest: CheckpointManifest, _ directory: FilePath
    ) -> (opened: [Int: SafetensorsFile], damage: [String]) {
        let neighbours = plan.neighbours(of: rank), place = neighbours.firstIndex(of: rank)!
        let there = manifest.shards.indices.filter { store.files.exists(directory.appending(manifest.shards[$0].file)) }
        var opened: [Int: SafetensorsFile] = [:], damage: [String] = []
        for (number, shard) in there.enumerated() where number % neighbours.count == place {
            do {
                opened[shard] = try CheckpointCatalog.openShard(shard, of: manifest, in: directory, store.files)
            } catch {
                damage.append("\(communicator.hostName): \(error)")
            }
        }
        return (opened, damage)
    }
}
