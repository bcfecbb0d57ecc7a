import MessagePassing

/// What ranks say of the shards that they wrote to memory: where there are several hosts two have written each, from their
/// own state, and must have written the same.
struct ShardAgreement {
    let step: Int
    /// Of all tensors.
    let layout: CRC32C
    /// What this rank wrote, by the shard's rank, or why it could not.
    let written: Result<[(shard: Int, summary: ShardFile.Summary)], any Error>

    /// The shards of all ranks. Throws the same `AgreedError` on all of them where any failed or two differ. Collective; one
    /// message when all is well.
    func shards(_ action: String, over communicator: any Collective) throws -> [CheckpointManifest.Shard] {
        let facts = said(of: communicator.size)
        let least = try communicator.serving(action) { try communicator.minimum([failure == nil ? 0 : -1] + facts) }
        if least[0] < 0 { try communicator.agree(on: action, failure: failure) }
        let agreed = stride(from: 1, to: least.count, by: 2).map { least[$0] }
        if zip(agreed, stride(from: 2, to: least.count, by: 2)).contains(where: { $0 != ~least[$1] }) {
            try communicator.agree(on: action, failure: difference(from: least.dropFirst(), facts))
            preconditionFailure("ranks differ in what they wrote, and none knows in what")
        }
        return (0..<communicator.size).map { shard in
            CheckpointManifest.Shard(
                file: CheckpointCatalog.shardName(shard, of: communicator.size), byteCount: Int(agreed[2 + 2 * shard]),
                checksum: CRC32C.text(of: UInt32(agreed[3 + 2 * shard])))
        }
    }

    private var failure: String? {
        if case .failure(let error) = written { "\(error)" } else { nil }
    }

    /// Step, layout, and size and checksum of each shard, every number before its complement: the least of these is the
    /// complement of the greatest number. What this rank does not know is never the least.
    private func said(of ranks: Int) -> [Int64] {
        var numbers = [Int64?](repeating: nil, count: 2 + 2 * ranks)
        (numbers[0], numbers[1]) = (Int64(step), Int64(layout.value))
        for (shard, summary) in (try? written.get()) ?? [] {
            numbers[2 + 2 * shard] = Int64(summary.byteCount)
            numbers[3 + 2 * shard] = Int64(summary.checksum.value)
        }
        return numbers.flatMap { number in number.map { [$0, ~$0] } ?? [.max, .max] }
    }

    /// What of it is not what others have; nil where all is.
    private func difference(from least: ArraySlice<Int64>, _ facts: [Int64]) -> String? {
        let other = zip(least, facts).map { $0 != $1 && $1 != .max }
        guard !other.prefix(4).contains(true) else { return "saves step \(step), of tensors that others do not have" }
        for (shard, summary) in (try? written.get()) ?? [] where other[4 + 4 * shard..<8 + 4 * shard].contains(true) {
            return "the shard of rank \(shard) has \(summary.byteCount) bytes and CRC-32C \(summary.checksum.text) "
                + "here, and not where it was written too: ranks do not hold the same state"
        }
        return nil
    }
}
