import Files
package import MessagePassing
import SystemPackage
package import Threads

/// How a save to memory ended, the same on every rank.
package enum MemorySaveOutcome: Sendable {
    /// Every host has its part and what it keeps for another. `cost` is what it took of the slowest rank's time, in seconds.
    case committed(step: Int, cost: Double)
    /// Nothing was saved, and the one before remains, unless it was of the same step. The text names ranks, files and causes.
    case failed(String)
}

/// Saves checkpoints to the hosts' memory: seconds are lost with a rank or a host then, and not the time since the last
/// checkpoint on disk.
///
/// The format is that of checkpoints on disk, and the order too: each rank writes its shard into its host's memory, and the
/// shards of some ranks of the host before, which need not be sent: all ranks hold the same state. Once all have done that
/// and both copies of each shard agree, every host writes the manifest, and gives the directory its name. So one that is
/// complete on all hosts together is there at every moment, and after the loss of any host whose neighbour lives. Two are
/// kept, and the next is written over the older one's files: what memory is theirs is asked of the system once.
///
/// All of this is collective, at the boundary of a step.
package final class MemorySaver {
    package let store: MemoryStore
    package let plan: HostPlan
    private let communicator: any Collective
    /// The ranks of this host.
    private let neighbours: any Collective
    /// Bytes that each host grants.
    private let limits: [Int]
    private let clock: any TimeSource
    /// The two checkpoints that this saver made last; the former's files are those of the next.
    private var newest, former: Made?
    /// The step from which the run went on, and whether older checkpoints stay beside it.
    private var origin: Int?
    private var keepsOlder = false

    private struct Made {
        let step: Int
        let files: ShardFiles
    }

    /// - Parameters:
    ///   - limit: the bytes of this host's memory that checkpoints may take.
    ///   - share: the same for each of its ranks; the smaller of both counts.
    package init(
        store: MemoryStore, communicator: any Collective, limit: Int, share: Int = .max,
        clock: any TimeSource = SystemClock()
    ) throws {
        self.store = store
        self.communicator = try communicator.duplicated(name: "memory")
        self.clock = clock
        let plan = try HostPlan(store, over: communicator)
        self.plan = plan
        neighbours = try communicator.split(color: plan.host(of: communicator.rank), name: "memory of a host")!
        let limits = try communicator.allGather([limit]), shares = try communicator.allGather([share])
        self.limits = plan.ranks.map { ranks in
            min(limits[ranks[0]][0], ranks.reduce(0) { $0 + min(shares[$1][0], .max / communicator.size) })
        }
        try communicator.agree(on: "clearing \(store.directory.shown)") {
            if plan.isFirst(communicator.rank) { try store.clear() }
        }
    }

    private var rank: Int { communicator.rank }

    /// What such tensors take on the host that takes most of what it grants: two checkpoints. The same on all ranks.
    package func demand(_ tensors: [SavedTensor]) -> (bytes: Int, granted: Int) {
        let owners = ShardPlan(tensors, ranks: communicator.size).owners
        var loads = [Int](repeating: 0, count: communicator.size)
        for (tensor, owner) in zip(tensors, owners) { loads[owner] += tensor.byteCount }
        let demands = plan.ranks.indices.map { host in
            (bytes: 2 * plan.shards(on: host).reduce(0) { $0 + loads[$1] }, granted: limits[host])
        }
        return demands.max { $0.bytes - $0.granted < $1.bytes - $1.granted }!
    }

    /// The run goes on from a step (nil: it begins): what is in memory of others is of no use, and gives its place to the next.
    ///
    /// Where a host lacks that step, as a job leaves it that dies while it completes one, the others hold it without copies:
    /// what was complete before stays as well, until a save.
    package func wentOn(from step: Int?) throws {
        if newest?.step != step { newest = nil }
        former = nil
        origin = step
        let isHere = step.map { store.files.exists(store.finalDirectory($0)) } ?? false
        let found = try communicator.minimum([isHere ? 1.0 : 0, isHere ? -1 : 0])
        keepsOlder = found[0] == 0 && found[1] == -1
        if !keepsOlder { removeOlder() }
    }

    /// What cannot be removed goes after the next save.
    private func removeOlder() {
        keepsOlder = false
        if plan.isFirst(rank) { try? store.keep(only: Set([origin].compactMap { $0 })) }
    }

    // MARK: Saving

    /// Saves `tensors`, which all ranks hold alike, as a checkpoint. Only MPI's failures are thrown.
    package func save(_ tensors: [SavedTensor], facts: CheckpointFacts) throws -> MemorySaveOutcome {
        let start = clock.monotonic
        do {
            let (files, manifest) = try write(tensors, facts)
            return .committed(step: facts.step, cost: try complete(facts.step, files, manifest, since: start))
        } catch let error as AgreedError {
            // The next save or start removes what remains.
            if plan.isFirst(rank) { try? store.discardNext() }
            // Perhaps for lack of room.
            if keepsOlder { removeOlder() }
            return .failed("\(error)")
        }
    }

    /// Writes what this rank keeps, and returns the manifest of what all have written.
    private func write(_ tensors: [SavedTensor], _ facts: CheckpointFacts) throws -> (ShardFiles, [UInt8]) {
        let step = facts.step, owners = ShardPlan(tensors, ranks: communicator.size).owners
        let stored = zip(tensors, owners).map { tensor, owner in
            CheckpointManifest.StoredTensor(
                name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, shard: owner)
        }
        let action = "saving step \(step) to memory", reused = former
        former = nil
        let prepared = Result { if plan.isFirst(rank) { try store.prepare(reusing: reused?.step) } }
        // The first rank of a host says for all of them why there is no room.
        let isReady = try neighbours.serving(action) { try neighbours.minimum([prepared.isSuccess ? 0.0 : -1]) == [0] }
        let files = reused?.files ?? ShardFiles(ranks: communicator.size, in: store)
        let written = Result {
            try prepared.get()
            return isReady ? try rewrite(files, with: tensors, owners, step) : []
        }
        let shards = try ShardAgreement(step: step, layout: ShardFile.layout(stored), written: written)
            .shards(action, over: communicator)
        let manifest = CheckpointManifest(facts: facts, shards: shards, tensors: stored)
        return try communicator.serving(action) {
            (files, try communicator.broadcast(communicator.isRoot ? manifest.encoded : []))
        }
    }

    /// Writes this rank's shard, and those that it keeps for others.
    private func rewrite(
        _ files: ShardFiles, with tensors: [SavedTensor], _ owners: [Int], _ step: Int
    ) throws -> [(shard: Int, summary: ShardFile.Summary)] {
        try ([rank] + plan.wards(of: rank)).map { shard in
            let summary = try ShardFile.rewrite(
                files.file(of: shard), with: zip(tensors, owners).filter { $0.1 == shard }.map(\.0), step: step,
                rank: shard, of: communicator.size)
            return (shard, summary)
        }
    }

    /// Makes what all have written the newest checkpoint; returns the seconds that the slowest rank has taken since `start`.
    private func complete(
        _ step: Int, _ files: ShardFiles, _ manifest: [UInt8], since start: Double
    ) throws -> Double {
        // One of the same step, of a way that the run has left, is replaced.
        if newest?.step == step { newest = nil }
        let action = "completing step \(step) in memory"
        let outcome = Result { if plan.isFirst(rank) { try store.complete(step, manifest: manifest) } }
        let least = try communicator.serving(action) {
            try communicator.minimum([outcome.isSuccess ? 0 : -1, start - clock.monotonic])
        }
        if least[0] < 0 {
            // Newer ones are preferred to what remains.
            if plan.isFirst(rank) { try? store.discard(step) }
            try communicator.agree(on: action) { try outcome.get() }
        }
        former = newest
        newest = Made(step: step, files: files)
        keepsOlder = false
        // What cannot be removed is overwritten or removed later, and newer ones are preferred to it.
        if plan.isFirst(rank) { try? store.keep(only: Set([newest, former].compactMap { $0?.step })) }
        return -least[1]
    }

    /// Removes all that this run has in memory: it ended well. What cannot be removed is told.
    package func removeAll() throws {
        (newest, former) = (nil, nil)
        try communicator.agree(on: "removing \(store.directory.shown)") {
            if plan.isFirst(rank) { try store.removeAll() }
        }
    }
}

extension Result {
    var isSuccess: Bool { if case .success = self { true } else { false } }
}
