import Files
import SystemPackage

/// One rank's part of a checkpoint as a file: how it is written, wherever it is kept.
enum ShardFile {
    struct Summary: Sendable, Equatable {
        let byteCount: Int
        let checksum: CRC32C

        /// What other ranks are told of it: the step, size and checksum, and a checksum of which tensors there are.
        func words(step: Int, _ tensors: [CheckpointManifest.StoredTensor]) -> [Int] {
            [step, byteCount, Int(checksum.value), Int(ShardFile.layout(tensors).value)]
        }
    }

    /// A checksum of which tensors there are.
    static func layout(_ tensors: [CheckpointManifest.StoredTensor]) -> CRC32C {
        CRC32C.of(tensors.flatMap { Array("\($0.name) \($0.shape) \($0.shard)\n".utf8) })
    }

    /// What a manifest says of the shards of all ranks, of which `words` were told; throws where ranks saved different
    /// things.
    static func shards(of words: [[Int]], step: Int) throws -> [CheckpointManifest.Shard] {
        try words.enumerated().map { rank, said in
            guard said[0] == step, said[3] == words[0][3] else {
                throw CheckpointError(
                    "rank \(rank) saved other tensors or another step (\(said[0])) than rank 0 (\(step))")
            }
            return CheckpointManifest.Shard(
                file: CheckpointCatalog.shardName(rank, of: words.count), byteCount: said[1],
                checksum: CRC32C.text(of: UInt32(said[2])))
        }
    }

    private static func metadata(step: Int, rank: Int, of ranks: Int) -> [String: String] {
        ["format": "pt", "step": String(step), "shard": "\(rank + 1) of \(ranks)"]
    }

    /// Writes tensors as they are now into a file in memory, where nothing needs to be made safe.
    static func rewrite(
        _ file: any RewritableFile, with tensors: [SavedTensor], step: Int, rank: Int, of ranks: Int
    ) throws -> Summary {
        var checksum = CRC32C()
        try file.rewind()
        try SafetensorsFile.write(tensors, metadata: metadata(step: step, rank: rank, of: ranks)) {
            checksum.add($0)
            try file.append($0)
        }
        try file.cut()
        return Summary(byteCount: file.size, checksum: checksum)
    }

    /// Returns when the file and its name are safe. Makes no MPI calls.
    ///
    /// - Parameters:
    ///   - path: of the rank `rank` of `ranks`, within `directory`, which is made.
    ///   - reached: hears of the points from `directoryMade` to `shardFinished`.
    static func write(
        _ tensors: [NamedTensor], step: Int, rank: Int, of ranks: Int, into directory: FilePath,
        files: any FileOperations, reached: (SavePoint) -> Void = { _ in }
    ) throws -> Summary {
        let metadata = metadata(step: step, rank: rank, of: ranks)
        try files.makeDirectories(directory)
        reached(.directoryMade)
        let file = try files.create(directory.appending(CheckpointCatalog.shardName(rank, of: ranks)))
        reached(.shardCreated)
        var isHalfWritten = false, checksum = CRC32C()
        try SafetensorsFile.write(tensors, metadata: metadata) {
            checksum.add($0)
            try file.append($0)
        } progress: { done, total in
            if !isHalfWritten && done * 2 >= total {
                isHalfWritten = true
                reached(.shardHalfWritten)
            }
        }
        reached(.shardWritten)
        try file.synchronize()
        try file.finish()
        reached(.shardSynchronized)
        try files.synchronize(directory: directory)
        reached(.shardFinished)
        return Summary(byteCount: file.size, checksum: checksum)
    }
}
