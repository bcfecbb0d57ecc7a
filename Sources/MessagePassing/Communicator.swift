import CMPI

/// A group of ranks that exchange messages in an order of their own.
///
/// Collectives must be called by every rank of the group in the same order. One communicator is used by one thread at a
/// time; two threads that communicate at once use two communicators (`duplicated`). All collectives block: Open MPI 4.1
/// makes no progress on non-blocking ones outside MPI calls, and picks its slowest algorithm for in-place ones.
public final class Communicator: @unchecked Sendable {
    // @unchecked: the handle never changes, and MPI locks what is behind it (MPI_THREAD_MULTIPLE).
    let handle: MPI_Comm
    public let rank: Int
    public let size: Int
    /// The most elements in one MPI call, whose counts are 32-bit; longer buffers go in several calls.
    package let elementsPerCall: Int

    public var isRoot: Bool { rank == 0 }

    private init(handle: MPI_Comm, elementsPerCall: Int) throws {
        self.handle = handle
        self.elementsPerCall = elementsPerCall
        var rank: Int32 = 0
        var size: Int32 = 0
        try MPIError.check(MPI_Comm_rank(handle, &rank), "MPI_Comm_rank", rank: -1)
        try MPIError.check(MPI_Comm_size(handle, &size), "MPI_Comm_size", rank: -1)
        self.rank = Int(rank)
        self.size = Int(size)
    }

    /// The group of all ranks, whose errors are returned rather than fatal; what is derived from it inherits that.
    convenience init(world: MPI_Comm) throws {
        try MPIError.check(
            MPI_Comm_set_errhandler(world, cmpi_errors_return()), "MPI_Comm_set_errhandler", rank: -1)
        try self.init(handle: world, elementsPerCall: 1 << 30)
    }

    /// The same ranks with messages of their own. Collective.
    public func duplicated() throws -> Communicator { try duplicated(elementsPerCall: elementsPerCall) }

    package func duplicated(elementsPerCall: Int) throws -> Communicator {
        var copy: MPI_Comm? = nil
        try check(MPI_Comm_dup(handle, &copy), "MPI_Comm_dup")
        return try Communicator(handle: copy!, elementsPerCall: elementsPerCall)
    }

    /// The ranks that name the same `color`, ordered by their rank here; nil for those that name none. Collective.
    public func split(color: Int?) throws -> Communicator? {
        var part: MPI_Comm? = nil
        let wanted = color.map(Int32.init) ?? Int32(cmpi_undefined)
        try check(MPI_Comm_split(handle, wanted, Int32(rank), &part), "MPI_Comm_split")
        guard color != nil else { return nil }
        return try Communicator(handle: part!, elementsPerCall: elementsPerCall)
    }

    /// Gives the communicator back to MPI; it must not be used afterwards. Collective.
    public func free() throws {
        var handle: MPI_Comm? = self.handle
        try check(MPI_Comm_free(&handle), "MPI_Comm_free")
    }

    /// Returns when every rank has called it.
    public func barrier() throws { try check(MPI_Barrier(handle), "MPI_Barrier") }

    func check(_ code: Int32, _ function: String) throws {
        try MPIError.check(code, function, rank: rank)
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
