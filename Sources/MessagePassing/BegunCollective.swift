/// A collective that is on its way while its rank does something else.
package protocol BegunCollective: AnyObject {
    /// Gives it the time that a rank must give for others to get on. Returns at once, with whether it is complete or has
    /// failed, which `finish` tells.
    @discardableResult
    func advance() -> Bool

    /// Returns when it is complete; to be called once. While there is nothing to do but wait, `meanwhile` is called.
    func finish(meanwhile: (() -> Void)?) throws
}

extension BegunCollective {
    package func finish() throws { try finish(meanwhile: nil) }
}

/// A collective all of which is done where it is finished: when a rank has time is its own affair, the order in which
/// calls block is not.
final class PostponedCollective: BegunCollective {
    private let body: () throws -> Void

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func advance() -> Bool { false }
    func finish(meanwhile: (() -> Void)?) throws { try body() }
}

/// For groups whose calls can only block.
extension Collective {
    package func beginSum(_ values: UnsafeMutableBufferPointer<Double>) throws -> any BegunCollective {
        PostponedCollective { try self.sum(values) }
    }

    package func beginSum(_ values: UnsafeMutableBufferPointer<Float>) throws -> any BegunCollective {
        PostponedCollective { try self.sum(values) }
    }

    package func beginExchangeParts(
        _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective {
        PostponedCollective { try self.exchangeParts(sent, into: received) }
    }

    package func beginGatherParts(
        _ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective {
        PostponedCollective { try self.gatherParts(part, into: all) }
    }
}
