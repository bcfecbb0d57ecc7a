package import MessagePassing

/// What a rank of `SimulatedRanks` sees of a group of ranks.
///
/// Calls of a group are numbered; those of one number must be the same call on all ranks. Where MPI lets a rank leave a
/// call before others have come (a root that broadcasts, a rank whose values are gathered elsewhere), a coin decides
/// whether it does.
package final class SimulatedCollective: Collective, @unchecked Sendable {
    // @unchecked: belongs to the one thread of its rank that communicates by it.
    package let name: String
    package let rank: Int
    /// The job that this rank is of.
    package let ranks: SimulatedRanks
    let group: SimulatedGroup
    private let worldRank: Int
    /// The calls so far.
    private var number = 0
    private var purpose = ""

    init(name: String, rank: Int, group: SimulatedGroup, worldRank: Int, ranks: SimulatedRanks) {
        (self.name, self.rank, self.group, self.worldRank, self.ranks) = (name, rank, group, worldRank, ranks)
    }

    package var size: Int { group.size }
    package var hostName: String { "host\(worldRank / ranks.ranksPerHost)" }

    package func serving<Value>(_ purpose: String, _ body: () throws -> Value) rethrows -> Value {
        let outer = self.purpose
        self.purpose = purpose
        defer { self.purpose = outer }
        return try body()
    }

    // MARK: Calls

    /// Whom a rank must wait for in a call.
    private enum Awaited {
        case all, nobody
        case root(Int)
    }

    /// Takes part in the group's next call, and returns it once it has what this rank needs of it.
    private func join(
        _ signature: String, _ contribution: UnsafeRawBufferPointer = .init(start: nil, count: 0),
        awaiting awaited: Awaited = .all
    ) throws -> SimulatedCall {
        number += 1
        let number = number
        let place = "\(name) #\(number) \(signature)" + (purpose.isEmpty ? "" : ", \(purpose)")
        try ranks.begin(place, rank: worldRank)
        let (call, mayLeaveEarly) = ranks.turns.change {
            let call = group.call(number)
            call.enter(rank, place, signature, Array(contribution))
            return (call, ranks.turns.coin())
        }
        try ranks.wait(place, rank: worldRank) { [group] in
            if call.mismatch != nil || call.contributions.count == group.size { return true }
            switch awaited {
            case .all: return false
            case .root(let root): return mayLeaveEarly && call.contributions[root] != nil
            case .nobody: return mayLeaveEarly
            }
        }
        return try ranks.turns.change {
            if let mismatch = call.mismatch { throw mismatch }
            group.leave(number)
            return call
        }
    }

    package func reduce<Element: ReducibleElement>(
        _ values: UnsafeMutableBufferPointer<Element>, by reduction: Reduction
    ) throws {
        let call = try join("\(reduction) of \(values.count) \(Element.self)", UnsafeRawBufferPointer(values))
        let result = ranks.turns.change {
            call.shared { ReducedValues<Element>(call.contributions(of: size), by: reduction) }.values
        }
        for (index, value) in result.enumerated() { values[index] = value }
    }

    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {
        let isRoot = rank == root
        let call = try join(
            "broadcast of \(bytes.count) bytes from \(root)",
            isRoot ? UnsafeRawBufferPointer(bytes) : .init(start: nil, count: 0),
            awaiting: isRoot ? .nobody : .root(root))
        if !isRoot { bytes.copyBytes(from: ranks.turns.change { call.contributions[root]! }) }
    }

    package func exchange<Element: BitwiseCopyable>(_ values: [Element], root: Int?) throws -> [[Element]] {
        let receives = root == nil || root == rank
        let signature = "gather of \(Element.self)" + (root.map { " to \($0)" } ?? "")
        let call = try values.withUnsafeBytes {
            try join(signature, $0, awaiting: receives ? .all : .nobody)
        }
        guard receives else { return [] }
        return ranks.turns.change { call.contributions(of: size) }.map { $0.asElements() }
    }

    package func exchangeParts(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws {
        precondition(sent.count == received.count && sent.count % size == 0, "\(sent.count), \(received.count) bytes")
        let part = sent.count / size
        let call = try join("exchange of \(size) parts of \(part) bytes", sent)
        let parts = ranks.turns.change { call.contributions(of: size) }
        received.copyBytes(from: parts.flatMap { $0[rank * part..<(rank + 1) * part] })
    }

    package func gatherParts(_ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws {
        precondition(all.count == part.count * size, "\(part.count) and \(all.count) bytes")
        let call = try join("gather of \(part.count) bytes each", part)
        all.copyBytes(from: ranks.turns.change { call.contributions(of: size) }.flatMap { $0 })
    }

    package func barrier(_ purpose: String) throws { _ = try serving(purpose) { try join("barrier") } }

    // MARK: Groups

    package func duplicated(name: String) throws -> any Collective {
        let call = try join("duplicate")
        let copy = ranks.turns.change { call.shared { SimulatedGroup(size: size) } }
        return SimulatedCollective(name: name, rank: rank, group: copy, worldRank: worldRank, ranks: ranks)
    }

    package func split(color: Int?, name: String) throws -> (any Collective)? {
        let call = try (color.map { [$0] } ?? []).withUnsafeBytes { (bytes) throws -> SimulatedCall in
            try join("split", bytes)
        }
        let (colors, parts) = ranks.turns.change {
            let colors = call.contributions(of: size).map { ($0.asElements() as [Int]).first }
            return (colors, call.shared { SimulatedParts(colors) })
        }
        guard let color else { return nil }
        let place = colors[..<rank].count { $0 == color }
        return SimulatedCollective(
            name: name, rank: place, group: parts.groups[color]!, worldRank: worldRank, ranks: ranks)
    }

    package func free() throws { _ = try join("free", awaiting: .nobody) }
}
