import Files
import SystemPackage

/// One rank's files of a checkpoint in memory: of its own shard, and of those that it keeps for other hosts. They stay open,
/// so that the checkpoint after the next is written over them.
final class ShardFiles {
    /// Of the job.
    private let ranks: Int
    private let store: MemoryStore
    /// By the shard's rank.
    private var open: [Int: any RewritableFile] = [:]

    init(ranks: Int, in store: MemoryStore) { (self.ranks, self.store) = (ranks, store) }

    /// The file of a rank's shard, to be written.
    func file(of rank: Int) throws -> any RewritableFile {
        let path = store.nextDirectory.appending(CheckpointCatalog.shardName(rank, of: ranks))
        // Whoever cleans a host's memory may have taken the name away, and with it what readers would find.
        if let file = open[rank], store.files.exists(path) { return file }
        let file = try store.files.openAgain(path)
        open[rank] = file
        return file
    }
}
