/// How the elements of all ranks become one.
package enum Reduction: String, Sendable {
    case sum, minimum, maximum
}

/// A number that messages can reduce: `Float`, `Double` or `Int64`.
package protocol ReducibleElement: BitwiseCopyable, Comparable, AdditiveArithmetic, Sendable {}
extension Float: ReducibleElement {}
extension Double: ReducibleElement {}
extension Int64: ReducibleElement {}

/// A group of ranks that exchange messages in an order of their own: all that the layers above know of a cluster.
///
/// `Communicator` is MPI's. Collectives must be called by every rank of the group in the same order, and block. One
/// group is used by one thread at a time; two threads that communicate at once use two (`duplicated`).
package protocol Collective: AnyObject, Sendable {
    /// What reports call it, for example `gradients`.
    var name: String { get }
    var rank: Int { get }
    var size: Int { get }
    /// Of this rank.
    var hostName: String { get }

    /// Replaces each element by that of all ranks together; every rank receives the same bits.
    func reduce<Element: ReducibleElement>(
        _ values: UnsafeMutableBufferPointer<Element>, by reduction: Reduction) throws

    /// Begins to replace each element by its sum over all ranks, in few rounds, as suits small messages; until it is
    /// finished nobody may touch them, nor use the group.
    func beginSum(_ values: UnsafeMutableBufferPointer<Double>) throws -> any BegunCollective

    /// Begins to replace each element by its sum over all ranks, each of which sends no more than twice as much as it has;
    /// until it is finished nobody may touch them, nor use the group.
    func beginSum(_ values: UnsafeMutableBufferPointer<Float>) throws -> any BegunCollective

    /// Overwrites `bytes` on every rank by those of `root`; all ranks pass as many.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws

    /// Every rank's values, in rank order, on `root`, or on every rank where it is nil; an empty list elsewhere. Ranks
    /// may pass different counts.
    func exchange<Element: BitwiseCopyable>(_ values: [Element], root: Int?) throws -> [[Element]]

    /// Sends each rank one of `size` parts and receives one part from each rank, in rank order; parts are of equal size.
    func exchangeParts(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws

    /// Every rank's `part`, in rank order; all are of equal size.
    func gatherParts(_ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws

    /// Begins an `exchangeParts`; until it is finished nobody may touch the bytes, nor use the group.
    func beginExchangeParts(
        _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective

    /// Begins a `gatherParts`; until it is finished nobody may touch the bytes, nor use the group.
    func beginGatherParts(
        _ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective

    /// Returns when every rank has called it. `purpose` says for what, should a rank never come.
    func barrier(_ purpose: String) throws

    /// The same ranks with messages of their own; `name` is what reports call them. Collective.
    func duplicated(name: String) throws -> any Collective

    /// The ranks that name the same `color`, ordered by their rank here; nil for those that name none. Collective.
    func split(color: Int?, name: String) throws -> (any Collective)?

    /// Gives the group up; it must not be used afterwards. Collective.
    func free() throws

    /// Reports name `purpose` for the calls in `body`.
    func serving<Value>(_ purpose: String, _ body: () throws -> Value) rethrows -> Value
}

extension Collective {
    package var isRoot: Bool { rank == 0 }

    // MARK: Reductions

    /// Replaces each element by its sum over all ranks.
    package func sum(_ values: UnsafeMutableBufferPointer<Float>) throws { try reduce(values, by: .sum) }

    /// Replaces each element by its sum over all ranks.
    package func sum(_ values: UnsafeMutableBufferPointer<Double>) throws { try reduce(values, by: .sum) }

    package func sum<Element: ReducibleElement>(_ values: [Element]) throws -> [Element] {
        try reduced(values, by: .sum)
    }

    package func minimum<Element: ReducibleElement>(_ values: [Element]) throws -> [Element] {
        try reduced(values, by: .minimum)
    }

    package func maximum<Element: ReducibleElement>(_ values: [Element]) throws -> [Element] {
        try reduced(values, by: .maximum)
    }

    private func reduced<Element: ReducibleElement>(_ values: [Element], by reduction: Reduction) throws -> [Element] {
        var values = values
        try values.withUnsafeMutableBufferPointer { try reduce($0, by: reduction) }
        return values
    }

    // MARK: Values from one rank

    package func broadcast(_ bytes: UnsafeMutableRawBufferPointer) throws { try broadcast(bytes, from: 0) }

    package func broadcast(_ floats: UnsafeMutableBufferPointer<Float>, from root: Int = 0) throws {
        try broadcast(UnsafeMutableRawBufferPointer(floats), from: root)
    }

    /// What `root` passed, of any length; the other ranks' argument is ignored.
    package func broadcast<Element: BitwiseCopyable>(_ values: [Element], from root: Int = 0) throws -> [Element] {
        var count = Int64(values.count)
        try withUnsafeMutableBytes(of: &count) { try broadcast($0, from: root) }
        var received = values
        if rank != root {
            received = Array(unsafeUninitializedCapacity: Int(count)) { _, initialized in initialized = Int(count) }
        }
        try received.withUnsafeMutableBytes { try broadcast($0, from: root) }
        return received
    }

    /// What `root` passed; the other ranks' argument is ignored.
    package func broadcast(_ text: String, from root: Int = 0) throws -> String {
        String(decoding: try broadcast(Array(text.utf8), from: root), as: UTF8.self)
    }

    // MARK: Values from all ranks

    /// Every rank's values, in rank order, on `root`; an empty list elsewhere. Ranks may pass different counts.
    package func gather<Element: BitwiseCopyable>(_ values: [Element], to root: Int = 0) throws -> [[Element]] {
        try exchange(values, root: root)
    }

    /// Every rank's values, in rank order, on every rank. Ranks may pass different counts.
    package func allGather<Element: BitwiseCopyable>(_ values: [Element]) throws -> [[Element]] {
        try exchange(values, root: nil)
    }

    /// Every rank's text, in rank order, on every rank.
    package func allGather(_ text: String) throws -> [String] {
        try allGather(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
}
