import Files
import SystemPackage

/// One rank's files of a checkpoint in memory: of its own shard, and of those that it keeps for other hosts. They stay open,
/// so that the checkpoint after the next is written over them.
final class ShardFiles {
    private let rank: Int
    private let ranks: Int
    private let store: MemoryStore
    /// By the shard's rank.
    private var open: [Int: any RewritableFile] = [:]

    init(of rank: Int, _ plan: HostPlan, in store: MemoryStore) {
        (self.rank, ranks, self.store) = (rank, plan.ranks.joined().count, store)
    }

    /// Of its own shard, to be written.
    func own() throws -> any RewritableFile { try file(of: rank, byteCount: nil) }

    /// Its own shard as it was written last.
    var written: any RewritableFile { open[rank]! }

    /// Of another rank's shard, of so many bytes.
    func copy(of ward: Int, byteCount: Int) throws -> any RewritableFile { try file(of: ward, byteCount: byteCount) }

    private func file(of rank: Int, byteCount: Int?) throws -> any RewritableFile {
        let path = store.nextDirectory.appending(CheckpointCatalog.shardName(rank, of: ranks))
        // Whoever cleans a host's memory may have taken the name away, and with it what readers would find.
        if let file = open[rank], store.files.exists(path) {
            if let byteCount { try file.resize(to: byteCount) }
            return file
        }
        let file = try store.files.openInPlace(path, byteCount: byteCount ?? 0)
        open[rank] = file
        return file
    }
}
