import Files
import MessagePassing
import SystemPackage

/// One rank's part in copying shards to the next host: it sends its own, and writes those that it keeps for others.
///
/// All ranks send and receive at once, in pieces, so that the memory for it stays small. What fails on one rank does not
/// stop the others, whose messages wait for it: it is told at the end.
struct ShardExchange {
    /// Of a rank.
    struct Shard {
        let rank: Int
        let path: FilePath
        let byteCount: Int
        /// Eight hexadecimal digits.
        let checksum: String
    }

    /// This rank's, in its host's memory.
    let own: Shard
    let keeper: Int?
    /// What this rank keeps, as it shall be here.
    let wards: [Shard]
    let files: any FileOperations

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
        let source = keeper == nil ? nil : attempt { try files.open(own.path) }
        var copies = wards.map { ward in Copy(shard: ward, file: attempt { try files.create(ward.path) }) }
        let sizes = (keeper == nil ? [] : [own.byteCount]) + wards.map(\.byteCount)
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
            if let source, let sent { _ = attempt { try source.read(into: sent, at: start) } }
            try pass(sent, received, communicator)
            for (index, bytes) in received.enumerated() where !bytes.isEmpty {
                _ = attempt { try copies[index].append(UnsafeRawBufferPointer(bytes)) }
            }
        }
        for copy in copies { _ = attempt { try copy.finish() } }
        if let directory = wards.first.map({ FileSystem.parent(of: $0.path) }) {
            _ = attempt { try files.synchronize(directory: directory) }
        }
        return failure
    }

    /// Pieces of no bytes are of shards that have ended.
    private func pass(
        _ sent: UnsafeMutableRawBufferPointer?, _ received: ArraySlice<UnsafeMutableRawBufferPointer>,
        _ communicator: any Collective
    ) throws {
        let coming = zip(received, wards).filter { !$0.0.isEmpty }.map { (bytes: $0.0, sender: $0.1.rank) }
        let leaving = UnsafeRawBufferPointer(sent ?? UnsafeMutableRawBufferPointer(start: nil, count: 0))
        try communicator.pass(leaving, to: leaving.isEmpty ? nil : keeper, receiving: coming)
    }

    private static func piece(_ start: Int, of byteCount: Int) -> Range<Int> {
        min(start, byteCount)..<min(start + pieceBytes, byteCount)
    }

    private struct Copy {
        let shard: Shard
        let file: (any WritableFile)?
        var checksum = CRC32C()

        mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
            checksum.add(bytes)
            try file?.append(bytes)
        }

        func finish() throws {
            guard checksum.text == shard.checksum else {
                throw FileError(
                    path: shard.path,
                    reason: "arrived from rank \(shard.rank) with CRC-32C \(checksum.text) instead of \(shard.checksum)"
                )
            }
            try file?.synchronize()
            try file?.finish()
        }
    }
}
