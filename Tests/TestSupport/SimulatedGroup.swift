import MessagePassing

/// What the ranks of a group have between them. Touched only by the rank whose turn it is.
final class SimulatedGroup: @unchecked Sendable {
    let size: Int
    /// Those that some rank has not left, by number.
    private var calls: [Int: SimulatedCall] = [:]
    private var departures: [Int: Int] = [:]

    init(size: Int) { self.size = size }

    func call(_ number: Int) -> SimulatedCall {
        if let call = calls[number] { return call }
        let call = SimulatedCall()
        calls[number] = call
        return call
    }

    func leave(_ number: Int) {
        departures[number, default: 0] += 1
        guard departures[number] == size else { return }
        (calls[number], departures[number]) = (nil, nil)
    }
}

/// One collective call of a group.
final class SimulatedCall {
    private var first: (rank: Int, place: String, signature: String)?
    /// By rank.
    private(set) var contributions: [Int: [UInt8]] = [:]
    private(set) var mismatch: CollectiveMismatch?
    private var result: AnyObject?

    /// A rank comes with its part.
    func enter(_ rank: Int, _ place: String, _ signature: String, _ contribution: [UInt8]) {
        contributions[rank] = contribution
        guard let first else {
            first = (rank, place, signature)
            return
        }
        guard signature != first.signature, mismatch == nil else { return }
        mismatch = CollectiveMismatch(
            description: "ranks call different collectives: rank \(first.rank) in \(first.place); "
                + "rank \(rank) in \(place)")
    }

    /// In the order of ranks, once all have come.
    func contributions(of size: Int) -> [[UInt8]] { (0..<size).map { contributions[$0]! } }

    /// What the first rank makes of the contributions is every rank's.
    func shared<Value: AnyObject>(_ make: () -> Value) -> Value {
        if let result { return result as! Value }
        let made = make()
        result = made
        return made
    }
}

/// Ranks called different collectives at one time.
package struct CollectiveMismatch: Error, CustomStringConvertible { public let description: String }

/// What a reduction makes of all ranks' values, in the order of ranks.
final class ReducedValues<Element: ReducibleElement> {
    let values: [Element]

    init(_ parts: [[UInt8]], by reduction: Reduction) {
        var values: [Element] = parts[0].asElements()
        for part in parts.dropFirst() {
            let others: [Element] = part.asElements()
            for index in values.indices {
                switch reduction {
                case .sum: values[index] = values[index] + others[index]
                case .minimum: values[index] = min(values[index], others[index])
                case .maximum: values[index] = max(values[index], others[index])
                }
            }
        }
        self.values = values
    }
}

/// The groups that a split makes, by colour.
final class SimulatedParts {
    let groups: [Int: SimulatedGroup]

    init(_ colors: [Int?]) {
        groups = Dictionary(grouping: colors.compactMap { $0 }, by: { $0 }).mapValues { SimulatedGroup(size: $0.count) }
    }
}

extension [UInt8] {
    func asElements<Item: BitwiseCopyable>() -> [Item] {
        let stride = MemoryLayout<Item>.stride
        return [Item](unsafeUninitializedCapacity: count / stride) { buffer, initialized in
            UnsafeMutableRawBufferPointer(buffer).copyBytes(from: prefix(count / stride * stride))
            initialized = count / stride
        }
    }
}
