import CMPI

/// Ranks called different collectives at one time: a fault in the program.
package struct CollectiveOrderError: SharedError, CustomStringConvertible {
    package let description: String
}

/// Compares what every rank is about to call, on a communicator of its own.
final class CollectiveOrderCheck {
    private let shadow: MPI_Comm
    private let rank, size: Int
    private var calls = 0

    private static let textLength = 200

    init(shadow: MPI_Comm, rank: Int, size: Int) {
        (self.shadow, self.rank, self.size) = (shadow, rank, size)
    }

    /// Throws on every rank unless all pass the same text: function and size of the call. Collective.
    func check(_ call: String, purpose: String) throws {
        calls += 1
        let text = "call \(calls): \(call)"
        var hash: Int64 = 0
        for byte in text.utf8 { hash = (hash ^ Int64(byte)) &* 0x100_0000_01B3 }
        // The minimum of h and of ~h, which is the complement of the maximum.
        var extremes = [hash, ~hash]
        try MPIError.check(
            MPI_Allreduce(cmpi_in_place(), &extremes, 2, cmpi_int64(), cmpi_min(), shadow), "MPI_Allreduce", rank: rank)
        guard extremes[0] != ~extremes[1] else { return }
        let texts = try gather(purpose.isEmpty ? text : "\(text) (\(purpose))")
        let distinct = texts.indices.filter { texts.firstIndex(of: texts[$0]) == $0 }.map { first in
            let ranks = texts.indices.filter { texts[$0] == texts[first] }
            let names = ranks.prefix(8).map(String.init).joined(separator: ", ") + (ranks.count > 8 ? ", …" : "")
            return "\(ranks.count == 1 ? "rank" : "ranks") \(names) in \(texts[first])"
        }
        throw CollectiveOrderError(
            description: "ranks call different collectives: \(distinct.prefix(8).joined(separator: "; ")); this is a "
                + "fault in the program: please report it with this line")
    }

    private func gather(_ text: String) throws -> [String] {
        let length = Self.textLength
        var mine = Array(text.utf8.prefix(length))
        mine += [UInt8](repeating: 0, count: length - mine.count)
        var all = [UInt8](repeating: 0, count: length * size)
        try MPIError.check(
            MPI_Allgather(&mine, Int32(length), cmpi_byte(), &all, Int32(length), cmpi_byte(), shadow), "MPI_Allgather",
            rank: rank)
        return (0..<size).map { rank in
            String(decoding: all[rank * length..<(rank + 1) * length].prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
