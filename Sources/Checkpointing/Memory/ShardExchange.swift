import Files
import MessagePassing

/// One rank's part in copying shards to the next host: it sends its own, and writes those that it keeps for others.
///
/// All ranks send and receive at once, in pieces, so that the memory for it stays small. What fails on one rank does not
/// stop the others, whose messages wait for it: it is told at the end.
struct ShardExchange {
    let plan: HostPlan
    let rank: Int
    /// Of all ranks.
    let shards: [CheckpointManifest.Shard]
    let files: ShardFiles

    static let pieceBytes = 4 << 20

    /// Returns why this rank could not do its part; nil where it did. Throws MPI's failures alone.
    func run(over communicator: any Collective) throws -> String? {
        var failure: String?
        func attempt<Value>(_ body: () throws -> Value) -> Value? {
            guard failure == nil else { return nil }
            do { return try body() } catch {
                failure = "\(error)"
                return nil
            }
        }
        let keeper = plan.keeper(of: rank), wards = plan.wards(of: rank)
        let source = keeper == nil ? nil : files.written
        var copies = wards.map { ward in
            Copy(
                rank: ward, checksum: shards[ward].checksum,
                file: attempt { try files.copy(of: ward, byteCount: shards[ward].byteCount) })
        }
        let sizes = ((keeper == nil ? [] : [rank]) + wards).map { shards[$0].byteCount }
        // Kept from piece to piece: fresh memory costs more than what is done with it.
        let buffers = sizes.map { size in
            UnsafeMutableRawBufferPointer.allocate(byteCount: min(size, Self.pieceBytes), alignment: 64)
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        for start in stride(from: 0, to: sizes.max() ?? 0, by: Self.pieceBytes) {
            let pieces = zip(sizes, buffers).map { size, buffer in
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.piece(start, of: size).count])
            }
            let sent = keeper == nil ? nil : pieces[0], received = pieces.suffix(wards.count)
            if let source, let sent, !sent.isEmpty { _ = attempt { try source.read(into: sent, at: start) } }
            // Pieces of no bytes are of shards that have ended.
            let coming = zip(received, wards).filter { !$0.0.isEmpty }.map { (bytes: $0.0, sender: $0.1) }
            let leaving = UnsafeRawBufferPointer(sent ?? UnsafeMutableRawBufferPointer(start: nil, count: 0))
            try communicator.pass(leaving, to: leaving.isEmpty ? nil : keeper, receiving: coming)
            for (index, bytes) in received.enumerated() where !bytes.isEmpty {
                _ = attempt { try copies[index].add(UnsafeRawBufferPointer(bytes), at: start) }
            }
        }
        for copy in copies { _ = attempt { try copy.check() } }
        return failure
    }

    private static func piece(_ start: Int, of byteCount: Int) -> Range<Int> {
        min(start, byteCount)..<min(start + pieceBytes, byteCount)
    }

    /// Of another rank's shard.
    private struct Copy {
        let rank: Int
        /// As it shall be: eight hexadecimal digits.
        let checksum: String
        /// nil where it could not be opened.
        let file: (any RewritableFile)?
        private var found = CRC32C()

        init(rank: Int, checksum: String, file: (any RewritableFile)?) {
            (self.rank, self.checksum, self.file) = (rank, checksum, file)
        }

        mutating func add(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
            found.add(bytes)
            try file?.write(bytes, at: offset)
        }

        func check() throws {
            guard let file, found.text != checksum else { return }
            throw FileError(
                path: file.path, reason: "arrived from rank \(rank) with CRC-32C \(found.text) instead of \(checksum)")
        }
    }
}
