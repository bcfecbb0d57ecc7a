import CMPI

extension Communicator {
    /// Along a tree, as Open MPI does it in place: its few rounds suit small messages.
    package func beginSum(_ values: UnsafeMutableBufferPointer<Double>) throws -> any BegunCollective {
        guard size > 1, values.baseAddress != nil else { return CollectiveSequence() }
        precondition(values.count <= elementsPerCall, "a sum of \(values.count) elements is begun in one call")
        return try begin("MPI_Iallreduce", count: values.count) { [handle] in
            cmpi_start_sum(values.baseAddress, Int32(values.count), handle)
        }
    }

    package func beginExchangeParts(
        _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective {
        let part = partBytes(sent.count, received.count, parts: size)
        return try beginAnyTime("MPI_Ialltoall", count: sent.count) { [handle] in
            cmpi_start_exchange(sent.baseAddress, received.baseAddress, part, handle)
        }
    }

    package func beginGatherParts(
        _ part: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
    ) throws -> any BegunCollective {
        let bytes = partBytes(part.count * size, all.count, parts: size)
        return try beginAnyTime("MPI_Iallgather", count: part.count) { [handle] in
            cmpi_start_gather(part.baseAddress, all.baseAddress, bytes, handle)
        }
    }

    /// Of a call that ranks may begin at different places of what they compute: a check of the order, which blocks, waits
    /// until the call is finished.
    private func beginAnyTime(
        _ function: StaticString, count: Int, _ call: @escaping () -> cmpi_started
    ) throws -> any BegunCollective {
        guard checksOrder else { return try begin(function, count: count, call) }
        return PostponedCollective { try self.begin(function, count: count, call).finish() }
    }

    private func begin(
        _ function: StaticString, count: Int, _ call: () -> cmpi_started
    ) throws -> any BegunCollective {
        try checkOrder(of: function, count: count)
        let begun = BegunCall(function, of: self, count: count, call())
        try check(begun.started.code, function)
        return begun
    }
}

/// One of MPI's own collectives that is on its way.
private final class BegunCall: BegunCollective {
    private let function: StaticString
    private let communicator: Communicator
    private let count: Int
    private(set) var started: cmpi_started
    private var isComplete = false

    init(_ function: StaticString, of communicator: Communicator, count: Int, _ started: cmpi_started) {
        (self.function, self.communicator, self.count, self.started) = (function, communicator, count, started)
    }

    func advance() -> Bool {
        guard !isComplete, started.code == Int32(cmpi_success) else { return true }
        var isDone: Int32 = 0
        // What fails is told where the call is finished.
        started.code = cmpi_advance(&started, &isDone)
        isComplete = isDone != 0
        return isComplete || started.code != Int32(cmpi_success)
    }

    /// A rank that computes while a call is on its way waits for nobody: reports name the call from here on.
    func finish(meanwhile: (() -> Void)?) throws {
        try communicator.logged(function, count: count) {
            if let meanwhile {
                while !advance() { meanwhile() }
            }
            try communicator.check(started.code, function)
            try communicator.check(cmpi_finish(&started), function)
        }
        isComplete = true
    }
}
