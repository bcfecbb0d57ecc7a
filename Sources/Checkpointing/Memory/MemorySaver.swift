import Files
package import MessagePassing
import SystemPackage
package import Threads

/// How a save to memory ended, the same on every rank.
package enum MemorySaveOutcome: Sendable {
    /// Every host has its part and what it keeps for another. `cost` is what it took of the slowest rank's time: copying,
    /// sending and agreeing, in seconds.
    case committed(step: Int, cost: Double)
    /// Nothing was saved, and the one before remains. The text names the ranks, files and causes.
    case failed(String)
}

/// Saves checkpoints to the hosts' memory: seconds are lost with a rank or a host then, and not the time since the last
/// checkpoint on disk.
///
/// The format is that of checkpoints on disk, and the order too: each rank writes its shard into its host's memory and
/// sends it to a rank of the next host, which writes a copy; once all have done that, every host writes the manifest, and
/// gives the directory its name. So one that is complete on all hosts together is there at every moment, and after the loss
/// of any host whose neighbour lives. Two are kept, and the next is written over the older one's files: what memory is
/// theirs is asked of the system once.
///
/// `begin` is for the boundary of a step; copies travel where `carry` has them run; at later boundaries `poll` asks, by one
/// small collective, whether all have arrived. All of these are collective.
package final class MemorySaver {
    /// Runs work that communicates, at once or on a thread that sends messages, in the same order on all ranks.
    package typealias Carrier = (@escaping () throws -> Void) -> Void

    package let store: MemoryStore
    package let plan: HostPlan
    private let communicator: any Collective
    /// For the copies alone: they may travel while other messages of this saver do.
    private let copies: any Collective
    /// Bytes that each host grants.
    private let limits: [Int]
    private let carry: Carrier
    private let clock: any TimeSource
    private var current: Save?
    /// The two checkpoints that this saver made last; the former's files are those of the next.
    private var newest, former: Made?

    private struct Made {
        let step: Int
        let files: ShardFiles
    }

    private struct Save {
        let step: Int
        let manifest: [UInt8]
        let files: ShardFiles
        let exchange: BackgroundJob<(failure: String?, seconds: Double)>
        /// Seconds of this rank's own time so far.
        var seconds: Double
    }

    /// - Parameters:
    ///   - limit: the bytes of this host's memory that checkpoints may take.
    ///   - share: the same for each of its ranks; the smaller of both counts.
    package init(
        store: MemoryStore, communicator: any Collective, limit: Int, share: Int = .max,
        carry: @escaping Carrier,
        clock: any TimeSource = SystemClock()
    ) throws {
        self.store = store
        self.communicator = try communicator.duplicated(name: "memory")
        copies = try communicator.duplicated(name: "copies")
        (self.carry, self.clock) = (carry, clock)
        let plan = try HostPlan(store, over: communicator)
        self.plan = plan
        let limits = try communicator.allGather([limit]), shares = try communicator.allGather([share])
        self.limits = plan.ranks.map { ranks in
            min(limits[ranks[0]][0], ranks.reduce(0) { $0 + min(shares[$1][0], .max / communicator.size) })
        }
        try communicator.agree(on: "clearing \(store.directory.shown)") {
            if plan.isFirst(communicator.rank) { try store.clear() }
        }
    }

    private var rank: Int { communicator.rank }

    package var isSaving: Bool { current != nil }

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
    /// No save may be under way.
    package func wentOn(from step: Int?) {
        precondition(current == nil, "a save to memory is under way; call finish first")
        if newest?.step != step { newest = nil }
        former = nil
        // What cannot be removed goes after the next save.
        if plan.isFirst(rank) { try? store.keep(only: Set([step].compactMap { $0 })) }
    }

    // MARK: Saving

    /// Writes this rank's share of `tensors`, which all ranks hold alike, and has its copy travel. No save may be under way.
    ///
    /// - Returns: the outcome where that failed already.
    package func begin(_ tensors: [SavedTensor], facts: CheckpointFacts) throws -> MemorySaveOutcome? {
        precondition(current == nil, "a save to memory is under way; call finish first")
        let start = clock.monotonic, step = facts.step
        let owners = ShardPlan(tensors, ranks: communicator.size).owners
        let stored = zip(tensors, owners).map { tensor, owner in
            CheckpointManifest.StoredTensor(
                name: tensor.name, elementType: tensor.elementType, shape: tensor.shape, shard: owner)
        }
        let reused = former
        former = nil
        do {
            let action = "saving step \(step) to memory"
            try communicator.agree(on: action) {
                if plan.isFirst(rank) { try store.prepare(reusing: reused?.step) }
            }
            let files = reused?.files ?? ShardFiles(of: rank, plan, in: store)
            let written = try communicator.agree(on: action) {
                try ShardFile.rewrite(
                    files.own(), with: tensors.indices.filter { owners[$0] == rank }.map { tensors[$0] }, step: step,
                    rank: rank, of: communicator.size)
            }
            let words = try communicator.allGather(written.words(step: step, stored))
            let shards = try communicator.agree(on: action) { try ShardFile.shards(of: words, step: step) }
            let manifest = CheckpointManifest(facts: facts, shards: shards, tensors: stored)
            let exchange = ShardExchange(plan: plan, rank: rank, shards: shards, files: files)
            current = Save(
                step: step, manifest: try communicator.broadcast(communicator.isRoot ? manifest.encoded : []),
                files: files,
                exchange: BackgroundJob(carriedBy: carry) { [copies, clock] in
                    let start = clock.monotonic
                    let failure = try exchange.run(over: copies)
                    return (failure, clock.monotonic - start)
                }, seconds: 0)
        } catch let error as AgreedError {
            return .failed(discardNext(because: error))
        }
        current!.seconds = clock.monotonic - start
        return try poll()
    }

    /// Completes the save under way once all copies have arrived, and returns its outcome; nil while any is on its way, or
    /// when there is no save. Only MPI's failures are thrown.
    package func poll() throws -> MemorySaveOutcome? {
        guard let save = current else { return nil }
        let start = clock.monotonic
        let result = try save.exchange.result.map { try $0.get() }
        let state: Int64 = result == nil ? 0 : result!.failure == nil ? 1 : 2
        let extremes = try communicator.minimum([state, -state])
        guard extremes[0] > 0, let result else {
            current!.seconds += clock.monotonic - start
            return nil
        }
        current = nil
        do {
            if extremes[1] == -2 {
                try communicator.agree(on: "copying step \(save.step) to the next host", failure: result.failure)
            }
        } catch let error as AgreedError {
            return .failed(discardNext(because: error))
        }
        // One of the same step, of a way that the run has left, is replaced.
        if newest?.step == save.step { newest = nil }
        do {
            try communicator.agree(on: "completing step \(save.step) in memory") {
                if plan.isFirst(rank) { try store.complete(save.step, manifest: save.manifest) }
            }
        } catch let error as AgreedError {
            // Newer ones are preferred to what remains.
            if plan.isFirst(rank) { try? store.discard(save.step) }
            return .failed(discardNext(because: error))
        }
        former = newest
        newest = Made(step: save.step, files: save.files)
        // What cannot be removed is overwritten or removed later, and newer ones are preferred to it.
        if plan.isFirst(rank) { try? store.keep(only: Set([newest, former].compactMap { $0?.step })) }
        let own = save.seconds + result.seconds + clock.monotonic - start
        return .committed(step: save.step, cost: try communicator.maximum([own])[0])
    }

    /// Waits for the save under way, if any.
    package func finish() throws -> MemorySaveOutcome? {
        while let save = current {
            save.exchange.wait()
            if let outcome = try poll() { return outcome }
        }
        return nil
    }

    private func discardNext(because error: AgreedError) -> String {
        // The next save or start removes what remains.
        if plan.isFirst(rank) { try? store.discardNext() }
        return "\(error)"
    }

    /// Removes all that this run has in memory: it ended well. What cannot be removed is told.
    package func removeAll() throws {
        _ = try finish()
        (newest, former) = (nil, nil)
        try communicator.agree(on: "removing \(store.directory.shown)") {
            if plan.isFirst(rank) { try store.removeAll() }
        }
    }
}
