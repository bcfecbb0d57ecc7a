import MessagePassing

/// Two ranks of which the other always brings what this one does, at once: a step sends all its messages, and none
/// takes time.
final class EchoingGroup: Collective, @unchecked Sendable {
    // @unchecked: one thread uses it and what is duplicated from it, as gradients are summed inline.
    let name: String
    let rank = 0, size = 2
    let hostName = MPIRuntime.nameOfThisHost
    private let onSum: (_ group: String, _ bytes: Int) -> Void
    private let afterSum: () -> Void

    /// - Parameters:
    ///   - onSum: called with the group's name and the bytes when a sum begins.
    ///   - afterSum: called when it is there.
    init(
        _ name: String, onSum: @escaping (_ group: String, _ bytes: Int) -> Void, afterSum: @escaping () -> Void
    ) {
        (self.name, self.onSum, self.afterSum) = (name, onSum, afterSum)
    }

    func reduce<Element: ReducibleElement>(
        _ values: UnsafeMutableBufferPointer<Element>, by reduction: Reduction
    ) throws {
        onSum(name, values.count * MemoryLayout<Element>.stride)
        if reduction == .sum { for index in values.indices { values[index] += values[index] } }
        afterSum()
    }

    /// At once, so that it is known when a bucket is complete.
    func beginSum(_ values: UnsafeMutableBufferPointer<Float>) throws -> any BegunCollective {
        try sum(values)
        return CollectiveSequence()
    }

    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws {}

    func exchange<Element: BitwiseCopyable>(_ values: [Element], root: Int?) throws -> [[Element]] {
        [values, values]
    }

    func exchangeParts(_ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer) throws {
        received.copyMemory(from: sent)
    }

    func gatherParts(_ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer) throws {
        for place in 0..<size {
            UnsafeMutableRawBufferPointer(rebasing: all[(place * part.count)...]).copyMemory(from: part)
        }
    }

    func barrier(_ purpose: String) throws {}

    func duplicated(name: String) throws -> any Collective {
        EchoingGroup(name, onSum: onSum, afterSum: afterSum)
    }

    func split(color: Int?, name: String) throws -> (any Collective)? {
        color == nil ? nil : EchoingGroup(name, onSum: onSum, afterSum: afterSum)
    }

    func free() throws {}

    func serving<Value>(_ purpose: String, _ body: () throws -> Value) rethrows -> Value { try body() }
}
