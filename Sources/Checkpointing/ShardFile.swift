import Files
import SystemPackage

/// One rank's part of a checkpoint as a file: how it is written, wherever it is kept.
enum ShardFile {
    struct Summary: Sendable, Equatable {
        let byteCount: Int
        let checksum: CRC32C

        /// What other ranks are told of it: the step, size and checksum, and a checksum of which tensors there are.
        func words(step: Int, _ tensors: [CheckpointManifest.StoredTensor]) -> [Int] {
            let layout = CRC32C.of(tensors.flatMap { Array("\($0.name) \($0.shape) \($0.shard)\n".utf8) })
            return [step, byteCount, Int(checksum.value), Int(layout.value)]
        }
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

    /// Returns when the file and its name are safe. Makes no MPI calls.
    ///
    /// - Parameters:
    ///   - path: of the rank `rank` of `ranks`, within `directory`, which is made.
    ///   - reached: hears of the points from `directoryMade` to `shardFinished`.
    static func write(
        _ tensors: [NamedTensor], step: Int, rank: Int, of ranks: Int, into directory: FilePath,
        files: any FileOperations, reached: (SavePoint) -> Void = { _ in }
    ) throws -> Summary {
        let metadata = ["format": "pt", "step": String(step), "shard": "\(rank + 1) of \(ranks)"]
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
