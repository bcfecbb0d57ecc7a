package import MessagePassing

/// What one rank has to say of a step, by name: parts of sums, means and maxima, and values of which every rank's is
/// wanted.
///
/// What is added under a name twice adds up: micro-batches of a step. All ranks bring the same names. One message adds them up; maxima and single values travel in it as a place for each
/// rank, because a second message would cost every step another round trip.
package struct Figures: Sendable {
    fileprivate enum Kind: UInt8 { case sum, mean, maximum, each }

    fileprivate struct Entry: Sendable {
        let kind: Kind
        let values: [Double]

        var isByRank: Bool { kind == .maximum || kind == .each }

        /// The two as one, as of two micro-batches.
        func joined(_ other: Entry) -> Entry {
            let values =
                kind == .maximum
                ? [max(values[0], other.values[0])] : zip(values, other.values).map { $0 + $1 }
            return Entry(kind: kind, values: values)
        }

        /// What it takes in the message of `rank`.
        func places(rank: Int, ranks: Int) -> [Double] {
            guard isByRank else { return values }
            var places = [Double](repeating: 0, count: ranks)
            places[rank] = values[0]
            return places
        }
    }

    private var entries: [String: Entry] = [:]

    package init() {}

    /// Over ranks, the sum.
    package mutating func add(_ name: String, sum value: Double) { add(name, .sum, [value]) }

    /// Over ranks, the sum of each element.
    package mutating func add(_ name: String, sums values: [Double]) { add(name, .sum, values) }

    /// Over ranks, the mean: `total` of `count` things on this rank.
    package mutating func add(_ name: String, total: Double, of count: Double) { add(name, .mean, [total, count]) }

    /// Over ranks, the largest.
    package mutating func add(_ name: String, maximum value: Double) { add(name, .maximum, [value]) }

    /// Every rank's value, by rank.
    package mutating func add(_ name: String, each value: Double) { add(name, .each, [value]) }

    private mutating func add(_ name: String, _ kind: Kind, _ values: [Double]) {
        let entry = Entry(kind: kind, values: values)
        guard let before = entries[name] else {
            entries[name] = entry
            return
        }
        precondition(
            before.kind == kind && before.values.count == values.count && kind != .each,
            "two figures that cannot be added up are called \(name)")
        entries[name] = before.joined(entry)
    }

    /// Adds all figures of another part of the step.
    package mutating func add(_ other: Figures) {
        for (name, entry) in other.entries { add(name, entry.kind, entry.values) }
    }

    /// What all ranks together make of the figures. Collective.
    package func reduced(over communicator: any Collective) throws -> Totals {
        let message = self.message(rank: communicator.rank, ranks: communicator.size)
        return try totals(of: try communicator.sum(message), ranks: communicator.size)
    }

    // MARK: The message

    private var ordered: [(name: String, entry: Entry)] {
        entries.sorted { $0.key < $1.key }.map { (name: $0.key, entry: $0.value) }
    }

    /// Of names, kinds and lengths; sums of it over a million ranks are exact.
    private var layout: Double {
        var hash: UInt32 = 2_166_136_261
        for (name, entry) in ordered {
            for byte in Array(name.utf8) + [0, entry.kind.rawValue, UInt8(truncatingIfNeeded: entry.values.count)] {
                hash = (hash ^ UInt32(byte)) &* 16_777_619
            }
        }
        return Double(hash)
    }

    /// The numbers whose sums over ranks `totals` understands.
    package func message(rank: Int, ranks: Int) -> [Double] {
        [layout] + ordered.flatMap { $0.entry.places(rank: rank, ranks: ranks) }
    }

    /// - Throws: `FiguresError` where ranks brought different names.
    package func totals(of sums: [Double], ranks: Int) throws -> Totals {
        guard sums[0] == layout * Double(ranks) else {
            throw FiguresError(
                description: "ranks report different figures; here they are "
                    + ordered.map(\.name).joined(separator: ", ") + ": this is a fault in the program")
        }
        var values: [String: (Kind, [Double])] = [:], start = 1
        for (name, entry) in ordered {
            let end = start + (entry.isByRank ? ranks : entry.values.count)
            values[name] = (entry.kind, Array(sums[start..<end]))
            start = end
        }
        return Totals(values: values)
    }

    /// The figures of all ranks.
    package struct Totals: Sendable {
        fileprivate let values: [String: (Kind, [Double])]

        package func sum(_ name: String) -> Double { find(name, .sum)[0] }
        package func sums(_ name: String) -> [Double] { find(name, .sum) }
        package func maximum(_ name: String) -> Double { find(name, .maximum).max()! }
        /// By rank.
        package func each(_ name: String) -> [Double] { find(name, .each) }
        /// Not a number where no rank counted anything.
        package func mean(_ name: String) -> Double {
            let parts = find(name, .mean)
            return parts[0] / parts[1]
        }

        private func find(_ name: String, _ kind: Kind) -> [Double] {
            guard let (found, values) = values[name], found == kind else {
                preconditionFailure("no \(kind) is called \(name) among \(values.keys.sorted())")
            }
            return values
        }
    }
}

/// Ranks that do not report the same figures cannot be added up.
package struct FiguresError: Error, CustomStringConvertible {
    package let description: String
}
