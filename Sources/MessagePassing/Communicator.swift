import CMPI

/// MPI's group of ranks.
///
/// Collectives block, but for those that are begun and looked at now and then: Open MPI 4.1 makes no progress outside MPI
/// calls. Its own non-blocking sum in place is along a tree, which is slow for gradients: these go around a ring of ours.
package final class Communicator: Collective, @unchecked Sendable {
    // @unchecked: the handle never changes, and MPI locks what is behind it (MPI_THREAD_MULTIPLE); the rest belongs to
    // the one thread that communicates.
    let handle: MPI_Comm
    /// What reports call it, for example `gradients`.
    package let name: String
    package let rank: Int
    package let size: Int
    /// The most elements in one MPI call, whose counts are 32-bit; longer buffers go in several calls.
    package let elementsPerCall: Int

    /// Its place in the log of collectives, the same on all ranks.
    private let channel: Int
    /// What the calls that follow serve, for reports.
    private var purpose = ""
    private var orderCheck: CollectiveOrderCheck?
    let ringWindow = RingWindow()

    package var hostName: String { MPIRuntime.nameOfThisHost }

    private init(handle: MPI_Comm, name: String, elementsPerCall: Int, rank: Int, size: Int) {
        (self.handle, self.name, self.elementsPerCall) = (handle, name, elementsPerCall)
        (self.rank, self.size) = (rank, size)
        channel = CollectiveLog.shared.addChannel(name)
    }

    private convenience init(handle: MPI_Comm, name: String, elementsPerCall: Int) throws {
        var rank: Int32 = 0
        var size: Int32 = 0
        try MPIError.check(MPI_Comm_rank(handle, &rank), "MPI_Comm_rank", rank: -1)
        try MPIError.check(MPI_Comm_size(handle, &size), "MPI_Comm_size", rank: -1)
        self.init(
            handle: handle, name: name, elementsPerCall: elementsPerCall, rank: Int(rank), size: Int(size))
    }

    /// A group of this process alone before or without MPI: its reductions, gathers and agreements are all there is.
    package convenience init(alone name: String) {
        self.init(handle: cmpi_comm_world(), name: name, elementsPerCall: 1 << 30, rank: 0, size: 1)
    }

    /// The group of all ranks, whose errors are returned rather than fatal; what is derived from it inherits that.
    convenience init(world: MPI_Comm) throws {
        try MPIError.check(
            MPI_Comm_set_errhandler(world, cmpi_errors_return()), "MPI_Comm_set_errhandler", rank: -1)
        try self.init(handle: world, name: "world", elementsPerCall: 1 << 30)
    }

    package func duplicated(name: String) throws -> any Collective {
        try duplicated(name: name, elementsPerCall: elementsPerCall)
    }

    package func duplicated(name: String, elementsPerCall: Int) throws -> Communicator {
        let copy = try made("MPI_Comm_dup") { cmpi_comm_dup(handle) }
        let duplicate = try Communicator(handle: copy, name: name, elementsPerCall: elementsPerCall)
        if orderCheck != nil { try duplicate.checkOrder() }
        return duplicate
    }

    package func split(color: Int?, name: String) throws -> (any Collective)? {
        let wanted = color.map(Int32.init) ?? Int32(cmpi_undefined)
        let part = try made("MPI_Comm_split") { cmpi_comm_split(handle, wanted, Int32(rank)) }
        guard color != nil else {
            // Numbers of communicators stay the same on all ranks.
            CollectiveLog.shared.removeChannel(CollectiveLog.shared.addChannel(name))
            return nil
        }
        let group = try Communicator(handle: part, name: name, elementsPerCall: elementsPerCall)
        if orderCheck != nil { try group.checkOrder() }
        return group
    }

    package func free() throws {
        try collective("MPI_Comm_free") { cmpi_comm_free(handle) }
        CollectiveLog.shared.removeChannel(channel)
    }

    package func barrier(_ purpose: String) throws {
        try serving(purpose) { try collective("MPI_Barrier") { MPI_Barrier(handle) } }
    }

    /// From now on every collective first compares with all ranks what is called, so that a wrong order is an error
    /// that names both calls rather than a hang or wrong numbers. Slow; communicators duplicated from now on do the
    /// same. Collective.
    package func checkOrder() throws {
        let shadow = try made("MPI_Comm_dup") { cmpi_comm_dup(handle) }
        orderCheck = CollectiveOrderCheck(shadow: shadow, rank: rank, size: size)
    }

    package func serving<Value>(_ purpose: String, _ body: () throws -> Value) rethrows -> Value {
        let outer = self.purpose
        self.purpose = purpose
        defer { self.purpose = outer }
        return try body()
    }

    /// Whether every collective is compared with all ranks.
    var checksOrder: Bool { orderCheck != nil }

    /// Makes one collective call that is logged and, if asked for, checked.
    ///
    /// - Parameter count: elements handed in; those of a call to which ranks bring different counts are `uneven`.
    func collective(_ function: StaticString, count: Int = 0, uneven: Bool = false, _ call: () -> Int32) throws {
        try logged(function, count: count) {
            try checkOrder(of: function, count: count, uneven: uneven)
            try check(call(), function)
        }
    }

    /// Reports name `function` until `body` has returned.
    func logged(_ function: StaticString, count: Int, _ body: () throws -> Void) rethrows {
        CollectiveLog.shared.begin(function, channel: channel, purpose: purpose, count: count)
        try body()
        CollectiveLog.shared.end(channel: channel)
    }

    func checkOrder(of function: StaticString, count: Int, uneven: Bool = false) throws {
        try orderCheck?.check("\(name) \(function)\(uneven ? "" : " of \(count) elements")", purpose: purpose)
    }

    /// The communicator that a collective call makes.
    private func made(_ function: StaticString, _ call: () -> cmpi_new_comm) throws -> MPI_Comm {
        var made = cmpi_new_comm()
        try collective(function) {
            made = call()
            return made.code
        }
        return made.comm
    }

    func check(_ code: Int32, _ function: StaticString) throws {
        try MPIError.check(code, "\(function)", rank: rank)
    }

    /// Calls `body` for consecutive ranges of at most `elementsPerCall` elements.
    func forEachCall(_ count: Int, _ body: (Range<Int>) throws -> Void) rethrows {
        var start = 0
        while start < count {
            let end = min(start + elementsPerCall, count)
            try body(start..<end)
            start = end
        }
    }
}
