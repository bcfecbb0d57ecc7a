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
        for start in stride(from: 0, to: sizes.max() ?? 0, by: Self.pieceBytes) {
            let piece = Self.piece(start, of: own.byteCount)
            let sent = source.flatMap { source in attempt { try source.bytes(piece) } }
            try pass(sent ?? [UInt8](repeating: 0, count: piece.count), start, &copies, communicator) {
                _ = attempt($0)
            }
        }
        for copy in copies { _ = attempt { try copy.finish() } }
        if let directory = wards.first.map({ FileSystem.parent(of: $0.path) }) {
            _ = attempt { try files.synchronize(directory: directory) }
        }
        return failure
    }

    private func pass(
        _ sent: [UInt8], _ start: Int, _ copies: inout [Copy], _ communicator: any Collective,
        _ attempt: (() throws -> Void) -> Void
    ) throws {
        let receiver = keeper != nil && start < own.byteCount ? keeper : nil
        let buffers = copies.map { copy in
            UnsafeMutableRawBufferPointer.allocate(
                byteCount: Self.piece(start, of: copy.shard.byteCount).count, alignment: 64)
        }
        defer { for buffer in buffers { buffer.deallocate() } }
        let received = zip(buffers, copies).filter { !$0.0.isEmpty }.map { (bytes: $0.0, sender: $0.1.shard.rank) }
        try sent.withUnsafeBytes { try communicator.pass($0, to: receiver, receiving: received) }
        for (index, buffer) in buffers.enumerated() where !buffer.isEmpty {
            attempt { try copies[index].append(UnsafeRawBufferPointer(buffer)) }
        }
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
